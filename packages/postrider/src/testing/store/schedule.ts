import assert from "node:assert/strict";
import type { ScheduledMessage } from "../../ports/schedule.ts";
import type { Store } from "../../ports/store.ts";
import { inOne, rolledBack } from "../store-environment.ts";
import type { StoreTest } from "./test.ts";

/** What is to be sent later. */
export const scheduleTests: readonly StoreTest[] = [
  {
    name: "what is due is taken once, oldest first, and what is not due stays",
    async run(env) {
      const store = await env.store();
      const nowMs = await store.now();
      const [late, early, future] = [env.scheduled(nowMs - 10), env.scheduled(nowMs - 20), env.scheduled(nowMs + 60_000)];
      await inOne(
        store,
        (tx) => tx.schedule.put(late),
        (tx) => tx.schedule.put(early),
        (tx) => tx.schedule.put(future),
      );
      assert.equal(await store.schedule.nextDueAt(), early.dueAt);
      assert.deepEqual(idsOf(await take(store)), [early.id, late.id]);
      assert.deepEqual(await take(store), []);
      assert.equal(await store.schedule.nextDueAt(), future.dueAt);
    },
  },
  {
    name: "a scheduled message comes back as it was put, with its recurrence",
    async run(env) {
      const store = await env.store();
      const entry = env.scheduled(5, {
        id: "nightly",
        message: env.outgoing({ body: Uint8Array.of(1, 255) }),
        recurrence: { cron: "0 3 * * *", timezone: "Asia/Seoul" },
      });
      await inOne(store, (tx) => tx.schedule.put(entry));
      const [taken] = await take(store);
      assert.deepEqual(taken!.recurrence, entry.recurrence);
      assert.deepEqual([taken!.id, taken!.dueAt, { ...taken!.message.envelope }], ["nightly", 5, { ...entry.message.envelope }]);
      assert.deepEqual([...(taken!.message.body as Uint8Array)], [1, 255]);
      assert.equal((await takenPlain(env.scheduled(6), store)).recurrence, undefined);
    },
  },
  {
    name: "the same id replaces what was there",
    async run(env) {
      const store = await env.store();
      await inOne(store, (tx) => tx.schedule.put(env.scheduled(1, { id: "same" })));
      const second = env.scheduled(2, { id: "same" });
      await inOne(store, (tx) => tx.schedule.put(second));
      const taken = await take(store);
      assert.deepEqual(
        taken.map(({ dueAt, message }) => [dueAt, message.envelope.id]),
        [[2, second.message.envelope.id]],
      );
    },
  },
  {
    name: "cancel and reschedule say whether it was there",
    async run(env) {
      const store = await env.store();
      const entry = env.scheduled(1);
      await inOne(store, (tx) => tx.schedule.put(entry));
      await inOne(store, async (tx) => {
        assert.equal(await tx.schedule.reschedule(entry.id, 99), true);
        assert.equal((await tx.schedule.get(entry.id))?.dueAt, 99);
        assert.equal(await tx.schedule.reschedule("nobody", 99), false);
        assert.equal(await tx.schedule.get("nobody"), undefined);
      });
      assert.equal(await store.schedule.nextDueAt(), 99);
      await inOne(store, async (tx) => {
        assert.equal(await tx.schedule.cancel(entry.id), true);
        assert.equal(await tx.schedule.cancel(entry.id), false);
      });
      assert.equal(await store.schedule.nextDueAt(), undefined);
    },
  },
  {
    name: "no two transactions take the same, and each takes no more than its limit",
    async run(env) {
      const stores = [await env.store(), await env.store()];
      for (let at = 0; at < 30; at++) await inOne(stores[0]!, (tx) => tx.schedule.put(env.scheduled(at)));
      const taken = await Promise.all(
        Array.from({ length: 8 }, (_, at) => stores[at % 2]!.transaction(async (tx) => await tx.schedule.takeDue(5))),
      );
      assert.ok(taken.every(({ length }) => length <= 5));
      const ids = taken.flatMap(idsOf);
      assert.equal(ids.length, 30);
      assert.equal(new Set(ids).size, 30);
    },
  },
  {
    name: "what was taken in a transaction that is rolled back is still there",
    async run(env) {
      const store = await env.store();
      const entry = env.scheduled(1);
      await inOne(store, (tx) => tx.schedule.put(entry));
      await rolledBack(store, (tx) => tx.schedule.takeDue(10));
      assert.deepEqual(idsOf(await take(store)), [entry.id]);
    },
  },
  {
    name: "the list is paged by id, downwards",
    async run(env) {
      const store = await env.store();
      const entries = Array.from({ length: 5 }, (_, at) => env.scheduled(1000 - at));
      for (const entry of entries) await inOne(store, (tx) => tx.schedule.put(entry));
      const first = await store.schedule.list({ limit: 2 });
      const second = await store.schedule.list({ limit: 10, after: first[1]!.id });
      assert.deepEqual([...idsOf(first), ...idsOf(second)], idsOf(entries).toReversed());
    },
  },
];

function take(store: Store): Promise<readonly ScheduledMessage[]> {
  return store.transaction(async (tx) => await tx.schedule.takeDue(100));
}

async function takenPlain(entry: ScheduledMessage, store: Store): Promise<ScheduledMessage> {
  await inOne(store, (tx) => tx.schedule.put(entry));
  return (await take(store))[0]!;
}

function idsOf(entries: readonly ScheduledMessage[]): string[] {
  return entries.map(({ id }) => id);
}
