import assert from "node:assert/strict";
import { idOf } from "../reader.ts";
import { ackAll } from "../transport-environment.ts";
import { codeOf } from "../wait.ts";
import { needs } from "./test.ts";
import type { TransportTest } from "./test.ts";

/** Coming and going of consumers, and the end of a process. */
export const closingTests: readonly TransportTest[] = [
  {
    name: "nothing is lost when a consumer is closed and another one goes on, again and again",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed();
      const messages = env.messages(orders, 500, (at) => ({ key: `key-${at % 20}` }));
      await env.send(transport, messages);
      const seen = new Set<string>();
      for (let round = 1; round <= 5; round++) {
        const reader = await env.consume(transport, subscription, {
          onDelivery(delivery) {
            if (seen.size >= round * 100) return; // stays out until the consumer is closed
            seen.add(idOf(delivery));
            void delivery.ack();
          },
        });
        await env.until(() => seen.size >= round * 100, `${round * 100} had come`);
        await reader.consumption!.close();
      }
      assert.equal(seen.size, 500);
    },
  },
  {
    name: "consumers that close at the same time lose nothing of what comes after",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed(env.destination("orders.events", 8));
      const readers = await Promise.all(Array.from({ length: 10 }, () => env.consume(transport, subscription)));
      await Promise.all(readers.flatMap(({ consumption }) => [consumption!.close(), consumption!.close()]));
      const messages = env.messages(orders, 50);
      await env.send(transport, messages);
      const reader = await env.consume(transport, subscription);
      await env.until(() => reader.count() === 50, "all had come");
      assert.deepEqual(new Set(reader.ids()), new Set(messages.map(idOf)));
    },
  },
  {
    name: "a close right after the sends loses nothing that was confirmed",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed();
      const confirmed: string[] = [];
      const sends = env.messages(orders, 400).map(async (message) => {
        const [outcome] = await transport.send([message], { deadlineMs: 10_000 });
        if (outcome === undefined) confirmed.push(idOf(message));
      });
      await Promise.all([...sends.map((send) => send.catch(() => undefined)), transport.close()]);
      const reader = await env.consume(await env.transport(), subscription);
      await env.until(() => confirmed.every((id) => reader.ids().includes(id)), "all confirmed ones had come");
    },
  },
  {
    name: "what is settled after its consumer was closed does no harm",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed();
      const reader = await env.hold(transport, subscription);
      await env.send(transport, env.messages(orders, 6));
      await env.until(() => reader.count() === 6, "all had come");
      await reader.consumption!.close();
      for (const delivery of reader.deliveries)
        assert.ok([undefined, "PR_LEASE_LOST"].includes((await codeOf(delivery.ack())) as undefined));
      for (const delivery of reader.deliveries) assert.equal(await codeOf(delivery.giveBack()), undefined);
      const next = await env.consume(transport, subscription);
      await env.until(() => next.count() === 6, "all came again");
      await env.quiet();
      assert.equal(next.deliveries.length, 6);
    },
  },
  {
    name: "what was settled before the close does not come again",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed();
      const reader = await env.consume(transport, subscription);
      await env.send(transport, env.messages(orders, 30));
      await env.until(() => reader.count() === 30, "all had come");
      await reader.consumption!.close();
      await transport.close();
      const next = await env.consume(await env.transport(), subscription);
      await env.quiet();
      assert.equal(next.deliveries.length, 0);
    },
  },
  {
    name: "after a crash what was not settled comes again, in order, and what was settled does not",
    notFor: needs("crash"),
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed(env.destination("orders.events", 1));
      const reader = await env.hold(transport, subscription);
      const messages = env.messages(orders, 12, () => ({ key: "one" }));
      await env.send(transport, messages);
      await env.until(() => reader.count() === 12, "all had come");
      await ackAll([0, 1, 2, 5].map((at) => reader.deliveries[at]!));
      await env.crash();
      const next = await env.consume(await env.transport(), subscription);
      await env.until(() => next.count() >= 8, "the rest had come again");
      await env.quiet();
      const unsettled = messages.filter((_, at) => ![0, 1, 2, 5].includes(at)).map(idOf);
      const again = next.ids().filter((id) => unsettled.includes(id));
      assert.deepEqual(again, unsettled);
      if (transport.colocated !== undefined) assert.deepEqual(next.ids(), unsettled);
    },
  },
  {
    name: "what was sent before a crash is there after it",
    notFor: needs("crash"),
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed();
      const messages = env.messages(orders, 40);
      await env.send(transport, messages);
      await env.crash();
      const reader = await env.consume(await env.transport(), subscription);
      await env.until(() => reader.count() === 40, "all had come");
    },
  },
];
