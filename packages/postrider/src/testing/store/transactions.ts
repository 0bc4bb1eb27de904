import assert from "node:assert/strict";
import { deferred } from "../../base/deferred.ts";
import type { StoreTransaction } from "../../ports/store.ts";
import { inOne, rolledBack } from "../store-environment.ts";
import { codeOf } from "../wait.ts";
import { needs } from "./test.ts";
import type { StoreTest } from "./test.ts";

/** What a transaction is: all or nothing, and nobody sees half of it. */
export const transactionTests: readonly StoreTest[] = [
  {
    name: "a transaction resolves with what its work gives, with promises or without",
    async run(env) {
      const store = await env.store();
      assert.equal(await store.transaction(() => 7), 7);
      assert.equal(await store.transaction(async () => "seven"), "seven");
      assert.equal(await store.transaction(() => undefined), undefined);
    },
  },
  {
    name: "what the work throws comes out as it is, and every part is rolled back",
    async run(env) {
      const store = await env.store();
      const thrown = Object.assign(new Error("mine"), { code: "MINE" });
      const change = async (tx: StoreTransaction): Promise<void> => {
        await tx.inbox.record(env.entry());
        await tx.outbox.append([env.outgoing()]);
        await tx.schedule.put(env.scheduled(1));
        await tx.held.put(env.held(1));
        await tx.deadLetters.add(env.letter());
      };
      const attempt = store.transaction(async (tx) => {
        await change(tx);
        throw thrown;
      });
      await assert.rejects(attempt, (error) => error === thrown);
      assert.equal(await store.inbox.count(), 0);
      assert.equal(await store.outbox.depth(), 0);
      assert.equal(await store.schedule.nextDueAt(), undefined);
      assert.equal(await store.held.nextDueAt(), undefined);
      assert.equal(await store.deadLetters.count({}), 0);
      await store.transaction(change);
      assert.equal(await store.inbox.count(), 1);
      assert.equal(await store.deadLetters.count({}), 1);
    },
  },
  {
    name: "work without promises that throws is rolled back alone, whatever shares its commit",
    async run(env) {
      const store = await env.store();
      const outcomes = await Promise.allSettled(
        Array.from({ length: 60 }, (_, at) =>
          store.transaction((tx) => {
            void tx.outbox.append([env.outgoing({ body: String(at) })]);
            if (at % 3 === 0) throw new Error(`no ${at}`);
            return at;
          }),
        ),
      );
      outcomes.forEach((outcome, at) => assert.equal(outcome.status, at % 3 === 0 ? "rejected" : "fulfilled"));
      assert.equal(await store.outbox.depth(), 40);
    },
  },
  {
    name: "one failing transaction among many that wait in the middle takes no other with it",
    async run(env) {
      const store = await env.store();
      const outcomes = await Promise.allSettled(
        Array.from({ length: 30 }, (_, at) =>
          store.transaction(async (tx) => {
            await tx.inbox.record(env.entry(`m-${at}`));
            await Promise.resolve();
            if (at === 7 || at === 8) throw new Error("no");
            await tx.outbox.append([env.outgoing()]);
          }),
        ),
      );
      assert.equal(outcomes.filter(({ status }) => status === "rejected").length, 2);
      assert.equal(await store.inbox.count(), 28);
      assert.equal(await store.outbox.depth(), 28);
    },
  },
  {
    name: "nobody outside sees what an open transaction has changed",
    async run(env) {
      const [store, other] = [await env.store(), await env.store()];
      const gate = deferred();
      const changed = deferred();
      const entry = env.entry();
      const open = store.transaction(async (tx) => {
        await tx.inbox.record(entry);
        await tx.deadLetters.add(env.letter());
        await tx.schedule.put(env.scheduled(1));
        changed.resolve();
        await gate.promise;
      });
      await changed.promise;
      for (const reader of [store, other]) {
        assert.equal(await reader.inbox.check(entry), "first");
        assert.equal(await reader.deadLetters.count({}), 0);
        assert.equal(await reader.schedule.nextDueAt(), undefined);
      }
      gate.resolve();
      await open;
      assert.equal(await store.inbox.check(entry), "repeated");
      await env.until(async () => (await other.inbox.check(entry)) === "repeated", "the other instance saw the commit");
    },
  },
  {
    name: "a transaction sees its own changes",
    async run(env) {
      const store = await env.store();
      const letter = env.letter();
      await inOne(store, async (tx) => {
        const entry = env.entry();
        assert.equal(await tx.inbox.record(entry), "first");
        assert.equal(await tx.inbox.record(entry), "repeated");
        await tx.deadLetters.add(letter);
        assert.equal((await tx.deadLetters.get(letter.id))?.id, letter.id);
        assert.equal(await tx.deadLetters.remove(letter.id), true);
        assert.equal(await tx.deadLetters.get(letter.id), undefined);
      });
      assert.equal(await store.deadLetters.count({}), 0);
    },
  },
  {
    name: "two services in one database never see each other's rows",
    async run(env) {
      const [billing, mailing] = [await env.store("billing"), await env.store("mailing")];
      const entry = env.entry();
      const letter = env.letter();
      await inOne(billing, async (tx) => {
        await tx.inbox.record(entry);
        await tx.deadLetters.add(letter);
        await tx.outbox.append([env.outgoing()]);
        await tx.held.put(env.held(1));
        await tx.schedule.put(env.scheduled(1));
      });
      await billing.effects.finish("e", "1");
      assert.equal(await mailing.inbox.check(entry), "first");
      assert.equal(await mailing.deadLetters.get(letter.id), undefined);
      assert.deepEqual(await mailing.outbox.claim({ kind: "event", limit: 10, owner: "o", leaseMs: 1000 }), []);
      assert.equal(await mailing.held.nextDueAt(), undefined);
      assert.equal(await mailing.schedule.nextDueAt(), undefined);
      assert.deepEqual(await mailing.effects.begin("e"), { state: "intended" });
    },
  },
  {
    name: "a transaction kept beyond its end can do nothing more",
    async run(env) {
      const store = await env.store();
      let kept: StoreTransaction | undefined;
      await store.transaction((tx) => {
        kept = tx;
      });
      await assert.rejects(async () => await kept!.inbox.record(env.entry()));
      assert.equal(await store.inbox.count(), 0);
    },
  },
  {
    name: "a closed store refuses transactions, and may be closed again",
    async run(env) {
      const store = await env.store();
      await store.open();
      await store.close();
      await store.close();
      assert.equal(await codeOf(store.transaction(() => undefined)), "PR_STORE_CLOSED");
    },
  },
  {
    name: "what was committed is there after a crash, and what was open is not",
    notFor: needs("crash"),
    async run(env) {
      const store = await env.store();
      const [kept, lost] = [env.entry(), env.entry()];
      await inOne(store, (tx) => tx.inbox.record(kept));
      await rolledBack(store, (tx) => tx.inbox.record(lost));
      const changed = deferred();
      const gate = deferred();
      const open = store.transaction(async (tx) => {
        await tx.inbox.record(lost);
        changed.resolve();
        await gate.promise;
      });
      const ended = codeOf(open);
      await changed.promise;
      await env.crash();
      gate.resolve();
      const next = await env.store();
      assert.equal(await next.inbox.check(kept), "repeated");
      assert.equal(await next.inbox.check(lost), "first");
      await ended;
    },
  },
];
