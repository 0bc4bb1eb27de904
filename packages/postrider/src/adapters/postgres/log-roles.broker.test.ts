import { describe, expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { TransportEnvironment } from "../../testing/transport-environment.ts";
import { migrate } from "./migrations.ts";
import { LOG_PART } from "./log-schema.ts";
import { missingServer, serverUrl, withSchema } from "./postgres.test-support.ts";
import { STORE_PART } from "./store-schema.ts";

// Without a server there is nothing to check: the bench prints why there is none.
describe.skipIf(missingServer() !== undefined)("the rights that a transport on PostgreSQL needs", () => {
  // One long path on purpose: each step needs other rights.
  test("with no more than the guide grants it sends, reads, settles in units of work and says how it stands", () =>
    withSchema(async (schema) => {
      const role = `${schema.name}_app`;
      const owner = schema.connect();
      await owner.connections.lend(async (client) => {
        for (const part of [STORE_PART, LOG_PART]) await migrate(client, schema.name, part);
      });
      const ownerTransport = owner.transport();
      const url = new URL(serverUrl());
      url.username = role;
      const env = new TransportEnvironment({
        connect: () => {
          const app = schema.connect({ url: url.href, migrates: false });
          return { transport: app.transport(), store: (service) => app.store(service) };
        },
        pass: (ms) => systemClock.sleep(ms),
        close: () => Promise.resolve(),
      });
      const orders = env.destination();
      const subscription = env.subscription(orders);
      await ownerTransport.open();
      await ownerTransport.apply({ destinations: [orders], subscriptions: [] });
      await ownerTransport.close();
      await schema.admin(`create role "${role}" login`);
      await schema.admin(`grant usage on schema "${schema.name}" to "${role}"`);
      await schema.admin(`grant select, insert, update, delete on all tables in schema "${schema.name}" to "${role}"`);
      await schema.admin(`grant usage on all sequences in schema "${schema.name}" to "${role}"`);

      const { transport, store } = await env.colocated();
      await env.apply(transport, [subscription]);
      const reader = await env.hold(transport, subscription);
      await env.send(transport, env.messages(orders, 4));
      await env.until(() => reader.count() === 4, "all had come");
      await store.transaction(async (tx) => {
        await tx.inbox.record({ handler: "h", messageId: "m", bodyHash: "x" });
        await transport.colocated!.settleIn(tx, reader.deliveries[0]!);
      });
      await reader.deliveries[1]!.ack();
      const [status] = await transport.inspect();
      expect(status!.subscriptions).toEqual([{ service: subscription.service, backlog: 2 }]);
      let replayed = 0;
      for await (const { envelope } of transport.read(orders.name, { from: "earliest" })) replayed += envelope === undefined ? 0 : 1;
      expect(replayed).toBe(4);
      await env.close();
      await schema.admin(`drop owned by "${role}"`);
      await schema.admin(`drop role "${role}"`);
    }));
});
