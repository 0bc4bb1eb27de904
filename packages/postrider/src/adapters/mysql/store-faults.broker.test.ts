import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { deferred } from "../../base/deferred.ts";
import { isPostriderError } from "../../base/errors.ts";
import type { Store } from "../../ports/store.ts";
import { StoreEnvironment } from "../../testing/store-environment.ts";
import { codeOf, until } from "../../testing/wait.ts";
import { keyLockOf, LOCK_KINDS } from "./place.ts";
import { missingServer, withDatabase } from "./mysql.test-support.ts";
import type { TestDatabase } from "./mysql.test-support.ts";

const waiting = { pass: (ms: number): Promise<void> => systemClock.sleep(ms) };

// Makes entries and letters as the suite does.
const samples = new StoreEnvironment({ connect: () => assert.fail(), ...waiting, close: () => Promise.resolve() });

// The longest that an envelope may have.
const LONGEST = "길".repeat(2048);

async function withTable(database: TestDatabase): Promise<Store> {
  const store = database.connect().store("billing");
  await store.open();
  await store.transaction((tx) => tx.run("create table things (id integer primary key, count bigint not null)"));
  await store.transaction((tx) => tx.run("insert into things values (1, 0), (2, 0)"));
  return store;
}

// Without a server there is nothing to check; the bench says why there is none.
describe.skipIf(missingServer() !== undefined)("faults of a MySQL store", () => {
  test("of many processes that open it at once, each finds the tables made", () =>
    withDatabase(async (database) => {
      const stores = Array.from({ length: 8 }, () => database.connect().store("billing"));
      await Promise.all(stores.map((store) => store.open()));
      assert.equal((await database.admin(`select version from ${new URL(database.url).pathname.slice(1)}.postrider_migrations`)).length, 1);
      for (const store of stores) assert.equal(await store.outbox.depth(), 0);
    }));

  test("a transaction whose connection breaks rejects, is rolled back, and leaves its place and a sound pool behind", () =>
    withDatabase(async (database) => {
      const store = await withTable(database);
      const stranger = database.connect().store("mailing");
      for (let round = 0; round < 12; round++) {
        const attempt = store.transaction(async (tx) => {
          await tx.run("update things set count = count + 1 where id = 1");
          const { id } = (await tx.get<{ id: number }>("select connection_id() as id"))!;
          await database.admin(`kill ${id}`);
          await tx.run("update things set count = count + 1 where id = 2");
        });
        await assert.rejects(
          attempt,
          (error) => isPostriderError(error, "PR_STORE_FAILED") && error.retryable && store.isAway!(error) && !stranger.isAway!(error),
        );
      }
      const mistaken = store.transaction((tx) => tx.run("select nothing from nowhere"));
      await assert.rejects(mistaken, (error) => isPostriderError(error, "PR_STORE_FAILED") && !store.isAway!(error));
      await Promise.all(
        Array.from({ length: 20 }, () => store.transaction((tx) => tx.run("update things set count = count + 1 where id = 1"))),
      );
      assert.deepEqual(
        (await store.read.all("select id, count from things order by id")).map((row) => ({ ...row })),
        [
          { id: 1, count: 20 },
          { id: 2, count: 0 },
        ],
      );
    }));

  test("of two transactions in a deadlock one ends as a conflict; nothing that it still tries runs outside a transaction", () =>
    withDatabase(async (database) => {
      const store = await withTable(database);
      const both = deferred();
      let here = 0;
      const cross = (first: number, second: number): Promise<void> =>
        store.transaction(async (tx) => {
          await tx.run("update things set count = count + 1 where id = ?", first);
          if (++here === 2) both.resolve();
          await both.promise;
          await tx.run("update things set count = count + 1 where id = ?", second).catch(() => undefined);
          await tx.run("update things set count = count + 10 where id = ?", first);
        });
      const codes = await Promise.all([codeOf(cross(1, 2)), codeOf(cross(2, 1))]);
      assert.deepEqual(
        codes.toSorted((left) => (left === undefined ? 1 : -1)),
        ["PR_STORE_CONFLICT", undefined],
      );
      const counts = (await store.read.all<{ count: number }>("select count from things")).map(({ count }) => count);
      assert.deepEqual(
        counts.toSorted((left, right) => left - right),
        [1, 11],
      );
    }));

  test("a statement that nobody awaited is part of its transaction, and never runs behind its end", () =>
    withDatabase(async (database) => {
      const store = await withTable(database);
      await store.transaction((tx) => void tx.run("update things set count = 5 where id = 1"));
      const attempt = store.transaction((tx) => {
        void tx.run("update things set count = 9 where id = 1");
        throw new Error("no");
      });
      await assert.rejects(attempt, /no/);
      assert.equal((await store.read.get<{ count: number }>("select count from things where id = 1"))?.count, 5);
    }));

  test("a definition that would commit what was written before it is refused", () =>
    withDatabase(async (database) => {
      const store = await withTable(database);
      const attempt = store.transaction(async (tx) => {
        await tx.run("update things set count = 9 where id = 1");
        await tx.run("create table others (id integer)");
      });
      assert.equal(await codeOf(attempt), "PR_FEATURE_REFUSED");
      assert.equal((await store.read.get<{ count: number }>("select count from things where id = 1"))?.count, 0);
      for (const text of ["commit", " ROLLBACK", "begin", "savepoint a", "set autocommit = 1", "unlock tables"])
        assert.equal(await codeOf(store.transaction((tx) => tx.run(text))), "PR_FEATURE_REFUSED", text);
      assert.equal(await codeOf(store.transaction((tx) => tx.run("select 1; commit"))), "PR_STORE_FAILED");
      assert.equal(await codeOf(store.read.run("update things set count = 9")), "PR_STORE_FAILED");
    }));

  test("many more transactions than connections, each of which reads outside itself, come to an end", () =>
    withDatabase(async (database) => {
      const store = await withTable(database);
      await Promise.all(
        Array.from({ length: 60 }, (_, at) =>
          store.transaction(async (tx) => {
            await tx.run("select 1");
            assert.equal((await store.read.all("select id from things")).length, 2);
            await store.effects.begin(`e-${at}`);
          }),
        ),
      );
      assert.equal((await store.effects.begin("e-0")).state, "intended");
    }));

  test("messages of many keys in many transactions at once neither deadlock nor get lost", () =>
    withDatabase(async (database) => {
      const stores = [await withTable(database), database.connect().store("billing")];
      await stores[1]!.open();
      const batch = (at: number): ReturnType<typeof samples.outgoing>[] =>
        Array.from({ length: 30 }, (_, n) => samples.outgoing({ key: `k-${at % 2 === 0 ? n : 29 - n}` }));
      await Promise.all(Array.from({ length: 30 }, (_, at) => stores[at % 2]!.transaction((tx) => tx.outbox.append(batch(at)))));
      assert.equal(await stores[0]!.outbox.depth(), 900);
    }));

  test("a message has its number only once it has the lock of its key, and a key that waits holds up no other", () =>
    withDatabase(async (database) => {
      const store = await withTable(database);
      const [late, early] = [samples.outgoing({ key: "a" }), samples.outgoing({ key: "b" })];
      assert.notEqual(keyLockOf(late.destination, "a"), keyLockOf(early.destination, "b"));
      const name = `x'${Buffer.from("billing").toString("hex")}'`;
      const release = await database.hold(
        `select 1 from pr_locks where service = ${name} and kind = ${LOCK_KINDS.outboxKey} and bucket = ${keyLockOf(late.destination, "a")} for update`,
      );
      const appended = store.transaction((tx) => tx.outbox.append([late]));
      await until(waiting, async () => (await database.waitingCount()) > 0, "it waits for the lock");
      await store.transaction((tx) => tx.outbox.append([early]));
      await release();
      await appended;
      const rows = await store.outbox.claim({ kind: "event", limit: 10, owner: "o", leaseMs: 60_000 });
      assert.deepEqual(
        rows.map(({ message }) => message.envelope.id),
        [early.envelope.id, late.envelope.id],
      );
    }));

  test("a message that is parked while the one before it completes is released by one or not parked by the other", () =>
    withDatabase(async (database) => {
      const stores = [await withTable(database), database.connect().store("billing")] as const;
      await stores[1].open();
      for (let round = 0; round < 40; round++) {
        const [key, destination] = [`k-${round}`, `d-${round}`];
        await stores[0].transaction((tx) => tx.held.put(samples.held(1, { key, isOrdered: true, destination })));
        const [claimed] = await stores[0].held.claimDue({ destination, lanes: undefined, limit: 1, leaseMs: 60_000 });
        const complete = stores[0].transaction(async (tx) => {
          await tx.held.complete(claimed!);
          await tx.held.releaseNext(destination, key);
        });
        const park = stores[1].transaction(async (tx) => {
          if (await tx.held.isBlocked(destination, key)) await tx.held.put(samples.held(undefined, { key, isOrdered: true, destination }));
        });
        await Promise.all([complete, park]);
        const left = await stores[0].held.list({ limit: 100, purpose: "parked" });
        assert.deepEqual(
          left.filter(({ dueAt }) => dueAt === undefined),
          [],
          "nothing stays parked without a head",
        );
      }
    }));

  test("texts of every kind come back as they were", () =>
    withDatabase(async (database) => {
      const store = await withTable(database);
      for (const text of ["a\u0000b", "\ud800", "\uf8ffx", "\\x00", "", "trailing ", "주문 😀", LONGEST]) {
        const letter = samples.letter({ messageId: text.slice(0, 512), reason: text, stack: text, key: text });
        const held = samples.held(1, { key: text, isOrdered: true });
        await store.transaction(async (tx) => {
          assert.equal(await tx.inbox.record(samples.entry(`m${text.slice(0, 511)}`)), "first");
          await tx.deadLetters.add(letter);
          await tx.held.put(held);
          await tx.outbox.append([samples.outgoing({ key: text })]);
        });
        const found = await store.deadLetters.get(letter.id);
        assert.deepEqual([found?.messageId, found?.reason, found?.stack, found?.key], [text.slice(0, 512), text, text, text]);
        assert.equal((await store.deadLetters.list({ key: text }, { limit: 9 })).length, 1);
        assert.equal((await store.held.get(held.id))?.key, text);
        assert.equal(await store.inbox.check(samples.entry(`m${text.slice(0, 511)}`)), "repeated");
        const rows = await store.outbox.claim({ kind: "event", limit: 9, owner: "o", leaseMs: 60_000 });
        assert.equal(rows[0]?.message.envelope.partitionkey, text);
        await store.outbox.done(rows);
      }
    }));
});
