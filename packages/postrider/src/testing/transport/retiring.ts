import assert from "node:assert/strict";
import { idOf } from "../reader.ts";
import { codeOf } from "../wait.ts";
import { needs } from "./test.ts";
import type { TransportTest } from "./test.ts";

/** Services that come after others, and services that are no more. */
export const retiringTests: readonly TransportTest[] = [
  {
    name: "whoever takes commands over goes on where the earlier reader stood, and runs nothing again",
    notFor: needs("retire"),
    async run(env) {
      const transport = await env.transport();
      const commands = env.destination("orders.commands");
      const earlier = env.subscription(commands, { service: "earlier" });
      await env.apply(transport, [earlier]);
      const [handled, waiting] = [env.messages(commands, 20), env.messages(commands, 20)];
      await env.send(transport, handled);
      const first = await env.consume(transport, earlier);
      await env.until(() => first.count() === 20, "the earlier owner had handled its messages");
      await first.consumption!.close();
      await env.send(transport, waiting);
      const later = env.subscription(commands, { service: "later" });
      await env.apply(transport, [later]);
      const second = await env.consume(transport, later);
      await env.until(() => second.count() >= 20, "the later owner had what was waiting");
      await env.quiet();
      assert.deepEqual(new Set(second.ids()), new Set(waiting.map(idOf)));
    },
  },
  {
    name: "a retired subscription is gone, and begins anew where its service comes back",
    notFor: needs("retire"),
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed();
      await env.send(transport, env.messages(orders, 5));
      const { service } = subscription;
      const retire = (dropUnread: boolean): Promise<void> => transport.retire!({ service, destination: orders.name, dropUnread });
      assert.equal(await codeOf(retire(false)), "PR_SUBSCRIPTION_USED");
      await retire(true);
      await retire(true);
      const [status] = await transport.inspect();
      assert.deepEqual(status?.subscriptions, []);
      const reader = await env.consume(transport, env.subscription(orders, { from: "latest" }));
      const [message] = env.messages(orders, 1);
      await env.send(transport, [message!]);
      await env.until(() => reader.count() === 1, "the new message had come");
      assert.deepEqual(reader.ids(), [idOf(message!)]);
    },
  },
  {
    name: "a subscription that somebody reads, or of a destination that is not there, is not retired",
    notFor: needs("retire"),
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed();
      const reader = await env.consume(transport, subscription);
      await env.send(transport, env.messages(orders, 1));
      await env.until(() => reader.count() === 1, "it is being read");
      const { service } = subscription;
      const retire = (destination: string): Promise<void> => transport.retire!({ service, destination, dropUnread: true });
      assert.equal(await codeOf(retire(orders.name)), "PR_SUBSCRIPTION_USED");
      assert.equal(await codeOf(retire("no.events")), "PR_DESTINATION_UNKNOWN");
      await reader.consumption!.close();
      await retire(orders.name);
    },
  },
];
