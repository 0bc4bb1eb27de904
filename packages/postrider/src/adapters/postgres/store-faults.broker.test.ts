import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { deferred } from "../../base/deferred.ts";
import { isPostriderError } from "../../base/errors.ts";
import type { DeadLetter } from "../../ports/dead-letters.ts";
import type { HeldMessage } from "../../ports/held.ts";
import type { Store } from "../../ports/store.ts";
import { StoreEnvironment } from "../../testing/store-environment.ts";
import { codeOf, until } from "../../testing/wait.ts";
import { missingServer, withSchema } from "./postgres.test-support.ts";
import type { TestSchema } from "./postgres.test-support.ts";
import type { PgQueryable } from "./connection.ts";

// The longest that an envelope may have, and nothing in it that could be made shorter.
const LONGEST = Array.from({ length: 2048 }, (_, at) => String.fromCodePoint(0xac00 + ((at * 7919 * (at + 1)) % 11_172))).join("");

const waiting = { pass: (ms: number): Promise<void> => systemClock.sleep(ms) };

// Makes entries and letters as the suite does.
const samples = new StoreEnvironment({ connect: () => assert.fail(), ...waiting, close: () => Promise.resolve() });

async function opened(schema: TestSchema, change: Parameters<TestSchema["connect"]>[0] = {}): Promise<Store> {
  const store = schema.connect(change).store("billing");
  await store.open();
  return store;
}

async function withTable(schema: TestSchema): Promise<Store> {
  const store = await opened(schema);
  await store.transaction((tx) => tx.run("create table things (id integer primary key, count bigint not null)"));
  await store.transaction((tx) => tx.run("insert into things values (1, 0), (2, 0)"));
  return store;
}

// Without a server there is nothing to check; the bench says why there is none.
describe.skipIf(missingServer() !== undefined)("faults of a PostgreSQL store", () => {
  test("a transaction whose connection breaks rejects, is rolled back, and leaves its place and a sound pool behind", () =>
    withSchema(async (schema) => {
      const store = await withTable(schema);
      const stranger = schema.connect().store("mailing");
      for (let round = 0; round < 12; round++) {
        const attempt = store.transaction(async (tx) => {
          await tx.run("update things set count = count + 1 where id = 1");
          const pid = (await tx.get<{ pid: number }>("select pg_backend_pid() as pid"))!.pid;
          await schema.admin("select pg_terminate_backend($1)", pid);
          if (round % 2 === 0)
            await until(
              waiting,
              async () => (await schema.admin("select 1 from pg_stat_activity where pid = $1", pid)).length === 0,
              "it has ended",
            );
          await tx.run("update things set count = count + 1 where id = 2");
        });
        await assert.rejects(
          attempt,
          (error) => isPostriderError(error, "PR_STORE_FAILED") && error.retryable && store.isAway!(error) && !stranger.isAway!(error),
        );
      }
      await Promise.all(
        Array.from({ length: 20 }, () => store.transaction((tx) => tx.run("update things set count = count + 1 where id = 1"))),
      );
      assert.deepEqual(await store.read.all("select id, count from things order by id"), [
        { id: 1, count: 20 },
        { id: 2, count: 0 },
      ]);
    }));

  test("a connection that breaks under the client itself is told as one of the store; a statement that fails says nothing of it", () =>
    withSchema(async (schema) => {
      const store = await withTable(schema);
      const broken = store.transaction(async (tx) => {
        const client = await (tx.raw as Promise<PgQueryable>);
        const { pid } = (await client.query({ text: "select pg_backend_pid() as pid" })).rows[0]!;
        await schema.admin("select pg_terminate_backend($1)", pid);
        await until(
          waiting,
          async () => (await schema.admin("select 1 from pg_stat_activity where pid = $1", pid)).length === 0,
          "it has ended",
        );
        await client.query({ text: "select 1" });
      });
      await assert.rejects(broken, (error) => store.isAway!(error));
      const mistaken = store.transaction((tx) => tx.run("select 1 / 0"));
      await assert.rejects(mistaken, (error) => isPostriderError(error, "PR_STORE_FAILED") && !store.isAway!(error));
    }));

  test("a connection that breaks while a handler waits for something else ends neither the process nor another transaction", () =>
    withSchema(async (schema) => {
      const store = await withTable(schema);
      const [started, gate] = [deferred(), deferred()];
      const attempt = codeOf(
        store.transaction(async (tx) => {
          await tx.run("update things set count = 1 where id = 1");
          started.resolve();
          await gate.promise;
        }),
      );
      await started.promise;
      await schema.admin(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 and state = 'idle in transaction'",
        schema.name,
      );
      await until(
        waiting,
        async () =>
          (await schema.admin("select 1 from pg_stat_activity where application_name = $1 and state = 'idle in transaction'", schema.name))
            .length === 0,
        "it has ended",
      );
      await store.transaction((tx) => tx.run("update things set count = 7 where id = 1"));
      gate.resolve();
      assert.equal(await attempt, "PR_STORE_FAILED");
      assert.equal((await store.read.get<{ count: number }>("select count from things where id = 1"))?.count, 7);
    }));

  test("work that catches a failed statement and goes on is not taken for committed", () =>
    withSchema(async (schema) => {
      const store = await withTable(schema);
      const attempt = store.transaction(async (tx) => {
        await tx.inbox.record(samples.entry("m"));
        await tx.run("insert into things values (1, 0)").catch(() => undefined);
      });
      await assert.rejects(attempt, /a statement in it had failed/);
      assert.equal(await store.inbox.count(), 0);
    }));

  test("a statement that nobody awaited fails its transaction, or is part of it", () =>
    withSchema(async (schema) => {
      const store = await withTable(schema);
      await store.transaction((tx) => void tx.run("update things set count = 5 where id = 1"));
      assert.equal((await store.read.get<{ count: number }>("select count from things where id = 1"))?.count, 5);
      const attempt = store.transaction((tx) => {
        void tx.run("insert into things values (1, 0)").catch(() => undefined);
        void tx.outbox.append([samples.outgoing()]);
      });
      await assert.rejects(attempt, /a statement in it had failed/);
      assert.equal(await store.outbox.depth(), 0);
    }));

  test("of two transactions in a deadlock one ends as a conflict, and can run again", () =>
    withSchema(async (schema) => {
      const store = await withTable(schema);
      const both = deferred();
      let here = 0;
      const cross = (first: number, second: number): Promise<void> =>
        store.transaction(async (tx) => {
          await tx.run("update things set count = count + 1 where id = ?", first);
          if (++here === 2) both.resolve();
          await both.promise;
          await tx.run("update things set count = count + 1 where id = ?", second);
        });
      const codes = await Promise.all([codeOf(cross(1, 2)), codeOf(cross(2, 1))]);
      assert.deepEqual(
        codes.toSorted((left) => (left === undefined ? 1 : -1)),
        ["PR_STORE_CONFLICT", undefined],
      );
      assert.deepEqual(await store.read.all("select count from things order by id"), [{ count: 1 }, { count: 1 }]);
    }));

  test("a conflict through the client itself is known as one, and other errors keep the server's as their cause", () =>
    withSchema(async (schema) => {
      const store = await withTable(schema);
      const attempt = store.transaction(async (tx) => {
        const client = (await tx.raw) as PgQueryable;
        await client.query({ text: "do $$ begin raise exception 'no' using errcode = '40001'; end $$" });
      });
      assert.equal(await codeOf(attempt), "PR_STORE_CONFLICT");
      const duplicate = store.transaction((tx) => tx.run("insert into things values (1, 0)"));
      await assert.rejects(duplicate, (error: Error) => (error.cause as { code?: unknown }).code === "23505");
    }));

  test("an error of the work's own world is not taken for one of the store, whatever its code", () =>
    withSchema(async (schema) => {
      const store = await withTable(schema);
      for (const code of ["ECONNREFUSED", "40001", "53100", "EPIPE"]) {
        const mine = Object.assign(new Error("elsewhere"), { code });
        await assert.rejects(
          store.transaction(async (tx) => {
            await tx.run("update things set count = 1 where id = 1");
            throw mine;
          }),
          (error) => error === mine,
        );
      }
    }));

  test("many more transactions than connections, each of which reads outside itself, come to an end", () =>
    withSchema(async (schema) => {
      const store = await withTable(schema);
      await Promise.all(
        Array.from({ length: 60 }, (_, at) =>
          store.transaction(async (tx) => {
            await tx.run("select 1");
            assert.equal((await store.read.all("select id from things")).length, 2);
            await store.effects.begin(`e-${at}`);
          }),
        ),
      );
    }));

  test("texts that PostgreSQL cannot hold come back as they were", () =>
    withSchema(async (schema) => {
      const store = await opened(schema);
      for (const text of ["a\u0000b", "\ud800", "\uf8ffx", "\\x00", "", LONGEST]) {
        const letter: DeadLetter = samples.letter({ messageId: text.slice(0, 512), reason: text, stack: text, key: text, contract: text });
        const held: HeldMessage = samples.held(1, { key: text, isOrdered: true });
        await store.transaction(async (tx) => {
          assert.equal(await tx.inbox.record(samples.entry(`m${text.slice(0, 512)}`)), "first");
          await tx.deadLetters.add(letter);
          await tx.held.put(held);
          await tx.outbox.append([samples.outgoing({ key: text })]);
        });
        const found = await store.deadLetters.get(letter.id);
        assert.deepEqual(
          [found?.messageId, found?.reason, found?.stack, found?.key, found?.contract],
          [text.slice(0, 512), text, text, text, text],
        );
        assert.equal((await store.deadLetters.list({ key: text }, { limit: 9 })).length, 1);
        assert.equal((await store.held.get(held.id))?.key, text);
        assert.equal(await store.inbox.check(samples.entry(`m${text.slice(0, 512)}`)), "repeated");
        const rows = await store.outbox.claim({ kind: "event", limit: 9, owner: "o", leaseMs: 60_000 });
        assert.equal(rows[0]?.message.envelope.partitionkey, text);
        await store.outbox.done(rows);
      }
    }));

  test("a message that is parked while the one before it completes is released by one or not parked by the other", () =>
    withSchema(async (schema) => {
      const stores = [await opened(schema), await opened(schema)];
      for (let round = 0; round < 40; round++) {
        const key = `k-${round}`;
        const head = samples.held(1, { key, isOrdered: true, destination: `d-${round}` });
        await stores[0]!.transaction((tx) => tx.held.put(head));
        const [claimed] = await stores[0]!.held.claimDue({ destination: head.destination, lanes: undefined, limit: 1, leaseMs: 60_000 });
        const complete = stores[0]!.transaction(async (tx) => {
          await tx.held.complete(claimed!);
          await tx.held.releaseNext(head.destination, key);
        });
        const park = stores[1]!.transaction(async (tx) => {
          if (!(await tx.held.isBlocked(head.destination, key))) return;
          await tx.held.put(samples.held(undefined, { key, isOrdered: true, destination: head.destination }));
        });
        await Promise.all([complete, park]);
        assert.equal((await stores[0]!.held.count()).parked - (await dueParked(schema)), 0, "nothing stays parked without a head");
      }
    }));

  test("users' statements cannot end the transaction, alone or behind another", () =>
    withSchema(async (schema) => {
      const store = await withTable(schema);
      for (const text of ["commit", " ROLLBACK", "begin", "savepoint a", "start transaction"])
        assert.equal(await codeOf(store.transaction((tx) => tx.run(text))), "PR_FEATURE_REFUSED", text);
      assert.equal(await codeOf(store.transaction((tx) => tx.run("select 1; commit"))), "PR_STORE_FAILED");
      assert.equal(await codeOf(store.read.run("update things set count = 9")), "PR_STORE_FAILED");
      assert.equal(await codeOf(store.read.run("commit")), "PR_FEATURE_REFUSED");
    }));

  test("a count is a number, and what no number holds a bigint", () =>
    withSchema(async (schema) => {
      const store = await withTable(schema);
      assert.deepEqual(await store.read.get("select count(*) as n, 9007199254740993 as big, null::bigint as none from things"), {
        n: 2,
        big: 9007199254740993n,
        none: null,
      });
    }));
});

async function dueParked(schema: TestSchema): Promise<number> {
  return (await schema.admin(`select 1 from "${schema.name}".pr_held where purpose = 'parked' and due_at is not null`)).length;
}
