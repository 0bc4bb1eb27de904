import assert from "node:assert/strict";
import { deferred } from "../../base/deferred.ts";
import type { Store } from "../../ports/store.ts";
import type { Delivery, Transport } from "../../ports/transport.ts";
import { idOf } from "../reader.ts";
import type { TransportEnvironment } from "../transport-environment.ts";
import { codeOf } from "../wait.ts";
import { needs } from "./test.ts";
import type { TransportTest } from "./test.ts";

/** A transport in its store's database: sends and settlings that are part of a transaction. */
export const colocatedTests: readonly TransportTest[] = [
  test("it shares the database of its own stores, and of no others", async (env) => {
    const { transport, store } = await env.colocated();
    assert.equal(transport.colocated!.shares(store), true);
    assert.equal(transport.colocated!.shares({}), false);
    assert.equal(transport.colocated!.shares(undefined), false);
  }),
  test("messages enlisted in a transaction leave with its commit, in order, and not before", async (env) => {
    const { transport, store, orders, subscription } = await env.subscribedBeside(env.destination("orders.events", 1));
    const reader = await env.consume(transport, subscription);
    const messages = env.messages(orders, 5, () => ({ key: "one" }));
    const gate = deferred();
    const commit = store.transaction(async (tx) => {
      await transport.colocated!.enlist(tx, messages.slice(0, 2));
      await transport.colocated!.enlist(tx, messages.slice(2));
      await gate.promise;
    });
    await env.quiet();
    assert.equal(reader.count(), 0);
    gate.resolve();
    await commit;
    await env.until(() => reader.count() === 5, "all had come");
    assert.deepEqual(reader.ids(), messages.map(idOf));
  }),
  test("messages enlisted by work without promises leave with its commit", async (env) => {
    const { transport, store, orders, subscription } = await env.subscribedBeside();
    const reader = await env.consume(transport, subscription);
    const results = await Promise.all(
      env.messages(orders, 100).map((message, at) =>
        store.transaction((tx) => {
          void transport.colocated!.enlist(tx, [message]);
          return at;
        }),
      ),
    );
    assert.deepEqual(
      results,
      Array.from({ length: 100 }, (_, at) => at),
    );
    await env.until(() => reader.count() === 100, "all had come");
  }),
  test("messages enlisted in a transaction that is rolled back do not leave", async (env) => {
    const { transport, store, orders, subscription } = await env.subscribedBeside();
    const reader = await env.consume(transport, subscription);
    const attempt = store.transaction(async (tx) => {
      await transport.colocated!.enlist(tx, env.messages(orders, 3));
      throw new Error("no");
    });
    await assert.rejects(attempt, /no/);
    const syncAttempt = store.transaction((tx) => {
      void transport.colocated!.enlist(tx, env.messages(orders, 3));
      throw new Error("no");
    });
    await assert.rejects(syncAttempt, /no/);
    await env.send(transport, env.messages(orders, 1));
    await env.until(() => reader.count() === 1, "the one that was sent had come");
    await env.quiet();
    assert.equal(reader.count(), 1);
  }),
  test("an unknown destination fails the transaction that enlists to it", async (env) => {
    const { transport, store } = await env.colocated();
    const attempt = store.transaction(async (tx) => {
      await tx.inbox.record({ handler: "h", messageId: "m", bodyHash: "x" });
      await transport.colocated!.enlist(tx, [env.message(env.destination("nowhere.events"))]);
    });
    assert.equal(await codeOf(attempt), "PR_DESTINATION_UNKNOWN");
    assert.equal(await store.inbox.count(), 0);
  }),
  test("a delivery settled in a transaction is settled by its commit", async (env) => {
    const { transport, store, orders, subscription } = await env.subscribedBeside();
    const reader = await env.hold(transport, subscription);
    await env.send(transport, env.messages(orders, 10));
    await env.until(() => reader.count() === 10, "all had come");
    for (const delivery of reader.deliveries.slice(0, 5)) await store.transaction((tx) => void transport.colocated!.settleIn(tx, delivery));
    for (const delivery of reader.deliveries.slice(5))
      await store.transaction(async (tx) => await transport.colocated!.settleIn(tx, delivery));
    await reader.consumption!.close();
    const next = await env.consume(transport, subscription);
    await env.quiet();
    assert.equal(next.deliveries.length, 0);
  }),
  test("a delivery settled in a transaction that is rolled back is unsettled, and can be settled again", async (env) => {
    const { transport, store, orders, subscription } = await env.subscribedBeside(env.destination("orders.events", 1));
    const reader = await env.hold(transport, subscription);
    await env.send(transport, env.messages(orders, 3));
    await env.until(() => reader.count() === 3, "all had come");
    const [first, second] = reader.deliveries;
    for (const delivery of reader.deliveries) await assert.rejects(failing(store, transport, delivery));
    await store.transaction((tx) => void transport.colocated!.settleIn(tx, first!));
    await second!.ack();
    await reader.consumption!.close();
    const next = await env.consume(transport, subscription);
    await env.until(() => next.count() === 1, "the third had come again");
    await env.quiet();
    assert.deepEqual(next.ids(), [idOf(reader.deliveries[2]!)]);
  }),
  test("a settled delivery that is settled again in a transaction changes nothing", async (env) => {
    const { transport, store, orders, subscription } = await env.subscribedBeside();
    const reader = await env.consume(transport, subscription);
    await env.send(transport, env.messages(orders, 1));
    await env.until(() => reader.count() === 1, "it had come");
    await store.transaction(async (tx) => {
      await transport.colocated!.settleIn(tx, reader.deliveries[0]!);
      await transport.colocated!.settleIn(tx, reader.deliveries[0]!);
    });
  }),
  test("one transaction settles, remembers and sends together", async (env) => {
    const { transport, store } = await env.colocated();
    const [orders, invoices] = [env.destination("orders.events", 2), env.destination("invoices.events", 2)];
    const [subscription, downstream] = [env.subscription(orders), env.subscription(invoices)];
    await env.apply(transport, [subscription, downstream]);
    const done = await env.consume(transport, downstream);
    const commits: Promise<void>[] = [];
    await env.consume(transport, subscription, {
      onDelivery(delivery) {
        const work = store.transaction(async (tx) => {
          assert.equal(await tx.inbox.record({ handler: "h", messageId: idOf(delivery), bodyHash: "x" }), "first");
          await transport.colocated!.enlist(tx, [env.message(invoices, { id: `invoice-${idOf(delivery)}` })]);
          await transport.colocated!.settleIn(tx, delivery);
        });
        commits.push(work);
      },
    });
    const messages = env.messages(orders, 40);
    await env.send(transport, messages);
    await env.until(() => done.count() === 40, "each had caused one");
    await Promise.all(commits);
    assert.deepEqual(done.ids().sort(), messages.map((message) => `invoice-${idOf(message)}`).sort());
    assert.equal(await store.inbox.count(), 40);
  }),
  {
    name: "what an open transaction enlisted and settled is undone by a crash",
    notFor: (features) => needs("colocated")(features) ?? needs("crash")(features),
    async run(env) {
      const { transport, store, orders, subscription } = await env.subscribedBeside(env.destination("orders.events", 1));
      const reader = await env.hold(transport, subscription);
      await env.send(transport, env.messages(orders, 1));
      await env.until(() => reader.count() === 1, "it had come");
      const gate = deferred();
      const begun = deferred();
      const open = store.transaction(async (tx) => {
        await transport.colocated!.enlist(tx, env.messages(orders, 3));
        await transport.colocated!.settleIn(tx, reader.deliveries[0]!);
        begun.resolve();
        await gate.promise;
      });
      const ended = codeOf(open);
      await begun.promise;
      await env.crash();
      gate.resolve();
      const next = await env.consume(await env.transport(), subscription);
      await env.until(() => next.count() >= 1, "the delivery had come again");
      await env.quiet();
      assert.deepEqual(next.ids(), reader.ids());
      await ended;
    },
  },
];

function failing(store: Store, transport: Transport, delivery: Delivery): Promise<never> {
  return store.transaction(async (tx) => {
    await transport.colocated!.settleIn(tx, delivery);
    throw new Error("no");
  });
}

function test(name: string, run: (env: TransportEnvironment) => Promise<void>): TransportTest {
  return { name, notFor: needs("colocated"), run };
}
