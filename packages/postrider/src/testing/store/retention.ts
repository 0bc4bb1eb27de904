import assert from "node:assert/strict";
import type { RetentionPolicy } from "../../ports/store.ts";
import { inOne } from "../store-environment.ts";
import type { StoreTest } from "./test.ts";

const HOUR_MS = 3_600_000;
const KEEP_ALL: RetentionPolicy = { inboxMs: HOUR_MS, effectsMs: HOUR_MS, asideMs: HOUR_MS, batchRows: 1000 };

/** What is forgotten, and when. */
export const retentionTests: readonly StoreTest[] = [
  {
    name: "clean-up deletes only what is older than the policy keeps",
    async run(env) {
      const store = await env.store();
      const [old, young] = [env.entry(), env.entry()];
      await inOne(store, (tx) => tx.inbox.record(old));
      await env.fixture.pass(1100);
      await inOne(store, (tx) => tx.inbox.record(young));
      assert.equal(await store.cleanUp(KEEP_ALL), 0);
      assert.equal(await store.cleanUp({ ...KEEP_ALL, inboxMs: 1000 }), 1);
      assert.equal(await store.inbox.check(old), "first");
      assert.equal(await store.inbox.check(young), "repeated");
    },
  },
  {
    name: "clean-up goes a bounded batch at a time, until nothing is left to delete",
    async run(env) {
      const store = await env.store();
      await inOne(store, async (tx) => {
        for (let at = 0; at < 25; at++) await tx.inbox.record(env.entry());
      });
      await env.fixture.pass(20);
      const policy = { ...KEEP_ALL, inboxMs: 1, batchRows: 10 };
      assert.deepEqual(
        [await store.cleanUp(policy), await store.cleanUp(policy), await store.cleanUp(policy), await store.cleanUp(policy)],
        [10, 10, 5, 0],
      );
      assert.equal(await store.inbox.count(), 0);
    },
  },
  {
    name: "letters that expired or are unhandled go in their time; failed and quarantined ones stay until somebody deals with them",
    async run(env) {
      const store = await env.store();
      const lists = ["failed", "quarantined", "unsent", "expired", "unhandled"] as const;
      for (const list of lists) await inOne(store, (tx) => tx.deadLetters.add(env.letter({ list, at: 1000 })));
      assert.equal(await store.cleanUp(KEEP_ALL), 2);
      const left = await store.deadLetters.list({}, { limit: 10 });
      assert.deepEqual(left.map(({ list }) => list).sort(), ["failed", "quarantined", "unsent"]);
    },
  },
  {
    name: "effects go in their time",
    async run(env) {
      const store = await env.store();
      await store.effects.begin("k");
      await store.effects.finish("k", "1");
      await env.fixture.pass(20);
      assert.equal(await store.cleanUp(KEEP_ALL), 0);
      assert.equal(await store.cleanUp({ ...KEEP_ALL, effectsMs: 1 }), 1);
      assert.deepEqual(await store.effects.begin("k"), { state: "intended" });
    },
  },
  {
    name: "what waits to be sent or run is never cleaned up",
    async run(env) {
      const store = await env.store();
      await inOne(
        store,
        (tx) => tx.outbox.append([env.outgoing()]),
        (tx) => tx.schedule.put(env.scheduled(1)),
        (tx) => tx.held.put(env.held(1)),
      );
      await env.fixture.pass(20);
      await store.cleanUp({ inboxMs: 0, effectsMs: 0, asideMs: 0, batchRows: 1000 });
      assert.equal(await store.outbox.depth(), 1);
      assert.equal(await store.schedule.nextDueAt(), 1);
      assert.equal((await store.held.count()).retry, 1);
    },
  },
];
