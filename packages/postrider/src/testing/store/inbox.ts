import assert from "node:assert/strict";
import type { InboxVerdict } from "../../ports/inbox.ts";
import { inOne, rolledBack } from "../store-environment.ts";
import type { StoreTest } from "./test.ts";

/** What was handled is known, by handler and message id. */
export const inboxTests: readonly StoreTest[] = [
  {
    name: "the first record of a message is the first, every later one a repetition",
    async run(env) {
      const store = await env.store();
      const entry = env.entry();
      const record = (): Promise<InboxVerdict> => store.transaction((tx) => tx.inbox.record(entry));
      assert.equal(await store.inbox.check(entry), "first");
      assert.deepEqual([await record(), await record(), await record()], ["first", "repeated", "repeated"]);
      assert.equal(await store.inbox.check(entry), "repeated");
      assert.equal(await store.inbox.count(), 1);
    },
  },
  {
    name: "the same id with another body is a conflict, and the first one stays",
    async run(env) {
      const store = await env.store();
      const entry = env.entry();
      const other = { ...entry, bodyHash: "another" };
      await inOne(store, (tx) => tx.inbox.record(entry));
      assert.equal(await store.transaction((tx) => tx.inbox.record(other)), "conflicting");
      assert.equal(await store.inbox.check(other), "conflicting");
      assert.equal(await store.inbox.check(entry), "repeated");
    },
  },
  {
    name: "each handler of a service remembers for itself",
    async run(env) {
      const store = await env.store();
      const entry = env.entry();
      await inOne(store, (tx) => tx.inbox.record(entry));
      assert.equal(await store.transaction((tx) => tx.inbox.record({ ...entry, handler: "orders.paid" })), "first");
    },
  },
  {
    name: "handler and message id are kept apart, wherever one ends",
    async run(env) {
      const store = await env.store();
      await inOne(store, (tx) => tx.inbox.record(env.entry("b-c", { handler: "a" })));
      assert.equal(await store.inbox.check(env.entry("c", { handler: "a-b" })), "first");
      assert.equal(await store.inbox.check(env.entry("b-c ", { handler: "a" })), "first");
      assert.equal(await store.inbox.check(env.entry("B-C", { handler: "a" })), "first");
    },
  },
  {
    name: "a record that is rolled back was never there",
    async run(env) {
      const store = await env.store();
      const entry = env.entry();
      await rolledBack(store, (tx) => tx.inbox.record(entry));
      assert.equal(await store.inbox.check(entry), "first");
      assert.equal(await store.transaction((tx) => tx.inbox.record(entry)), "first");
    },
  },
  {
    name: "of 64 transactions that record one id at once, exactly one commits as the first, though winners roll back",
    async run(env) {
      const stores = [await env.store(), await env.store()];
      const entry = env.entry();
      let effects = 0;
      let rollbacks = 0;
      const attempt = (at: number): Promise<InboxVerdict> =>
        stores[at % 2]!.transaction(async (tx) => {
          const verdict = await tx.inbox.record(entry);
          await Promise.resolve();
          if (verdict === "first" && rollbacks < 5) {
            rollbacks++;
            throw new Error("a winner that fails");
          }
          if (verdict === "first") effects++;
          return verdict;
        });
      const outcomes = await Promise.allSettled(Array.from({ length: 64 }, (_, at) => attempt(at)));
      const verdicts = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
      assert.equal(effects, 1);
      assert.equal(verdicts.filter((verdict) => verdict === "first").length, 1);
      assert.equal(verdicts.filter((verdict) => verdict === "repeated").length, 58);
      assert.equal(outcomes.filter(({ status }) => status === "rejected").length, 5);
      assert.equal(await stores[0]!.inbox.count(), 1);
    },
  },
  {
    name: "many messages recorded at once are each the first",
    async run(env) {
      const store = await env.store();
      const verdicts = await Promise.all(Array.from({ length: 300 }, () => store.transaction((tx) => tx.inbox.record(env.entry()))));
      assert.ok(verdicts.every((verdict) => verdict === "first"));
      assert.equal(await store.inbox.count(), 300);
    },
  },
];
