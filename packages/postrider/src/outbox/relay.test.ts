import { expect, test } from "vitest";
import { deferred } from "../base/deferred.ts";
import { fail } from "../base/errors.ts";
import type { OutboxReader } from "../ports/outbox.ts";
import type { Store } from "../ports/store.ts";
import type { Outgoing } from "../envelope/envelope.ts";
import type { Transport } from "../ports/transport.ts";
import { away, harbour, message, write } from "./relay.test-support.ts";

test("rows leave in their order once they are committed, woken or polled for, marked as such that may repeat", async () => {
  const { clock, store, real, relay, ids, sent } = await harbour();
  await write(store, message("1", "a"), message("2", "a"));
  const running = relay({ pollMs: 250 });
  running.start();
  await clock.advance(0);
  expect(ids()).toEqual(["1", "2"]);
  await write(store, message("3", "a"));
  running.wake();
  await clock.advance(0);
  expect(sent.at(-1)).toEqual({ id: "3", at: 0 });
  expect(await store.outbox.depth()).toBe(0);
  const read = [];
  for await (const { envelope } of real.read("order.events", { from: "earliest" })) read.push(envelope!.id);
  expect(read).toEqual(["1", "2", "3"]);
  await running.stop();
});

test("rows that nobody told of are found by the poll", async () => {
  const { clock, store, relay, sent } = await harbour();
  const deaf: OutboxReader = Object.assign(Object.create(store.outbox) as OutboxReader, { onAppended: () => () => undefined });
  const running = relay({ store: Object.assign(Object.create(store) as Store, { outbox: deaf, now: () => clock.now() }), pollMs: 250 });
  running.start();
  await clock.advance(100);
  await write(store, message("1"));
  await clock.advance(1000);
  expect(sent).toEqual([{ id: "1", at: 250 }]);
  await running.stop();
});

test("a failing key waits, longer each time, and holds up only itself; it keeps its order", async () => {
  const { clock, store, relay, sent, ids, lines } = await harbour((outgoing, round) =>
    outgoing.envelope.partitionkey === "a" && round < 4 ? away : undefined,
  );
  await write(store, message("a1", "a"), message("b1", "b"));
  const running = relay();
  running.start();
  await clock.advance(0);
  await write(store, message("a2", "a"), message("b2", "b"));
  await clock.advance(5000);
  expect(ids()).toEqual(["b1", "b2", "a1", "a2"]);
  expect(sent[2]!.at).toBeGreaterThanOrEqual(200 + 400);
  expect(sent[3]!.at).toBe(sent[2]!.at);
  expect(await store.outbox.depth()).toBe(0);
  expect(lines.filter((line) => line.startsWith("warn"))).toHaveLength(1);
  await running.stop();
});

test("where a transport takes a message in spite of the failed one before it, it comes again behind that one", async () => {
  const { clock, store, relay, ids } = await harbour((outgoing, round) =>
    outgoing.envelope.id === "a1" && round === 1 ? away : undefined,
  );
  await write(store, message("a1", "a"), message("a2", "a"));
  const running = relay();
  running.start();
  await clock.advance(1000);
  expect(ids()).toEqual(["a2", "a1", "a2"]);
  await running.stop();
});

test("a message that can never be sent becomes an unsent dead letter; its neighbours leave", async () => {
  const tooLarge = fail("PR_BODY_TOO_LARGE", { contract: "order.placed", bytes: 2, limit: 1 });
  const { clock, store, relay, ids, buried } = await harbour((outgoing) => (outgoing.envelope.id === "2" ? tooLarge : undefined));
  await write(store, message("1", "a"), message("2", "a"), message("3", "a"));
  const running = relay();
  running.start();
  await clock.advance(1000);
  expect(ids()).toEqual(["1", "3"]);
  const letters = await store.deadLetters.list({}, { limit: 10 });
  expect(letters).toMatchObject([
    {
      list: "unsent",
      contract: "order.placed",
      messageId: "2",
      code: "PR_BODY_TOO_LARGE",
      attempts: 1,
      isOrdered: false,
      key: "a",
      destination: "order.events",
    },
  ]);
  expect(buried).toEqual(letters);
  expect(await store.outbox.depth()).toBe(0);
  await running.stop();
});

test("a transport that rejects a whole send condemns no row", async () => {
  const { clock, store, transport, relay, ids } = await harbour();
  let isDown = true;
  const flaky = Object.assign(Object.create(transport) as Transport, {
    send: (batch: readonly Outgoing[], options: { deadlineMs: number }) =>
      isDown ? Promise.reject(fail("PR_CONFIG_INVALID", { mistakes: "apply first" })) : transport.send(batch, options),
  });
  await write(store, message("1"));
  const running = relay({ transport: () => flaky });
  running.start();
  await clock.advance(1000);
  expect([await store.deadLetters.list({}, { limit: 10 }), await store.outbox.depth()]).toEqual([[], 1]);
  isDown = false;
  await clock.advance(5000);
  expect(ids()).toEqual(["1"]);
  await running.stop();
});

test("more rows than a batch leave without waiting for the poll, and two relays share them without a double", async () => {
  const { clock, store, relay, ids } = await harbour();
  await write(store, ...Array.from({ length: 95 }, (_, index) => message(String(index), `k-${index % 7}`)));
  const both = ["relay-1", "relay-2"].map((owner) => relay({ owner, batch: 10 }));
  for (const each of both) each.start();
  await clock.advance(0);
  for (let turns = 0; turns < 20; turns++) await clock.yield();
  expect(clock.now()).toBe(0);
  expect(new Set(ids()).size).toBe(95);
  expect(ids()).toHaveLength(95);
  await Promise.all(both.map((each) => each.stop()));
});

test("a stop lets the sends under way end and begins no other; what is left stays in the outbox", async () => {
  const { clock, store, transport, relay, ids } = await harbour();
  const gate = deferred();
  const slow = Object.assign(Object.create(transport) as Transport, {
    send: async (batch: readonly Outgoing[], options: { deadlineMs: number }) => (await gate.promise, transport.send(batch, options)),
  });
  await write(store, message("1"), message("2"), message("3"));
  const running = relay({ transport: () => slow, batch: 1 });
  running.start();
  await clock.advance(0);
  const stopping = running.stop();
  gate.resolve();
  await stopping;
  await clock.advance(1000);
  expect(ids()).toEqual(["1", "2"]);
  expect([await store.outbox.depth(), clock.pending]).toEqual([1, 0]);
});

test("a stop waits no longer than it is told, whatever the transport does", async () => {
  const { clock, store, transport, relay } = await harbour();
  const silent = Object.assign(Object.create(transport) as Transport, { send: () => new Promise<never>(() => undefined) });
  await write(store, message("1"));
  const running = relay({ transport: () => silent });
  running.start();
  await clock.advance(0);
  let isStopped = false;
  const stopping = running.stop(8000).then(() => (isStopped = true));
  await clock.advance(7999);
  expect(isStopped).toBe(false);
  await clock.advance(1);
  await stopping;
  expect(await store.outbox.depth()).toBe(1);
});

test("rows of a relay that died are sent by another one after its lease, under the same id", async () => {
  const { clock, store, relay, sent } = await harbour();
  await write(store, message("1"));
  await store.outbox.claim({ kind: "event", limit: 10, owner: "dead", leaseMs: 30_000 });
  const running = relay();
  running.start();
  await clock.advance(29_000);
  expect(sent).toEqual([]);
  await clock.advance(1500);
  expect(sent.map(({ id }) => id)).toEqual(["1"]);
  await running.stop();
});

test("a store that fails for a while stops nothing", async () => {
  const { clock, store, relay, ids, lines } = await harbour();
  let failures = 3;
  const outbox = Object.assign(Object.create(store.outbox) as OutboxReader, {
    claim: (options: Parameters<OutboxReader["claim"]>[0]) =>
      failures-- > 0 ? Promise.reject(fail("PR_STORE_FAILED", { store: "s", during: "claim", detail: "no" })) : store.outbox.claim(options),
  });
  await write(store, message("1"));
  const running = relay({ store: Object.assign(Object.create(store) as Store, { outbox, now: () => clock.now() }) });
  running.start();
  await clock.advance(2000);
  expect(ids()).toEqual(["1"]);
  expect(lines.filter((line) => line.startsWith("warn"))).toHaveLength(1);
  await running.stop();
});
