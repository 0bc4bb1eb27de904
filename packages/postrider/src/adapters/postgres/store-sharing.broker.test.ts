import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import type { Clock } from "../../base/clock.ts";
import { deferred } from "../../base/deferred.ts";
import { isPostriderError } from "../../base/errors.ts";
import type { InboxEntry } from "../../ports/inbox.ts";
import type { Store, StoreTransaction } from "../../ports/store.ts";
import { codeOf } from "../../testing/wait.ts";
import { missingServer, withSchema } from "./postgres.test-support.ts";
import type { TestSchema } from "./postgres.test-support.ts";

type Work = (tx: StoreTransaction) => Promise<unknown>;

/** Nobody is ever slow, and no transaction is ever old enough to be closed: so it is the test that says who shares with whom. */
const STILL: Clock = { ...systemClock, monotonicMs: () => 0, after: () => ({ cancel: () => undefined }) };
/** The same, but slowness is noticed. */
const WATCHED: Clock = { ...systemClock, monotonicMs: () => 0 };

const PLACES = 8; // of a pool of ten
const TERSE_UNITS = 64; // before statements of several units may be under way at once

async function opened(schema: TestSchema, clock: Clock): Promise<Store> {
  const store = schema.connect({ clock }).store("billing");
  await store.open();
  await store.transaction((tx) => tx.run("create table things (id integer primary key, count bigint not null default 0)"));
  return store;
}

const add =
  (id: number): Work =>
  (tx) =>
    tx.run("insert into things (id) values (?)", id);

const increment: Work = async (tx) => {
  const { count } = (await tx.get<{ count: number }>("select count from things where id = 1 for update"))!;
  await tx.run("update things set count = ? where id = 1", count + 1);
};

/** Holds up every transaction that may be shared; `go` lets one of them on, which takes all these into it, one after another. */
function together(
  store: Store,
  works: readonly Work[],
): { readonly outcomes: Promise<unknown>[]; readonly go: () => void; readonly rest: () => Promise<void> } {
  const gates = Array.from({ length: PLACES - 1 }, () => deferred());
  const held = gates.map(({ promise }) => codeOf(store.transaction(() => promise, { mayShare: true })));
  const outcomes = works.map(async (work): Promise<unknown> => (await codeOf(store.transaction(work, { mayShare: true }))) ?? "done");
  return {
    outcomes,
    go: () => gates[0]!.resolve(),
    rest: async () => {
      for (const gate of gates) gate.resolve();
      await Promise.all(held);
    },
  };
}

async function shared(store: Store, works: readonly Work[]): Promise<readonly unknown[]> {
  const { outcomes, go, rest } = together(store, works);
  go();
  const codes = await Promise.all(outcomes);
  await rest();
  return codes;
}

async function ids(store: Store): Promise<readonly number[]> {
  return (await store.read.all<{ id: number }>("select id from things order by id")).map(({ id }) => id);
}

/** As the delivery does it: what was sent back runs again alone. */
async function handled(store: Store, work: Work): Promise<void> {
  await store.transaction(work, { mayShare: true }).catch(async (error: unknown) => {
    if (!isPostriderError(error, "PR_STORE_CONFLICT")) throw error;
    await store.transaction(work);
  });
}

// Without a server there is nothing to check; the bench says why there is none.
describe.skipIf(missingServer() !== undefined)("transactions that share one of the database's", () => {
  test("while there are places nobody waits for another's transaction", () =>
    withSchema(async (schema) => {
      const store = await opened(schema, STILL);
      const all = deferred();
      let begun = 0;
      const work: Work = () => (++begun === PLACES - 1 ? all.resolve() : undefined, all.promise);
      await Promise.all(Array.from({ length: PLACES - 1 }, () => store.transaction(work, { mayShare: true })));
      assert.equal(begun, PLACES - 1); // or they would wait here for ever
    }));

  test("where all places are taken, who shares with nobody goes before a backlog that came earlier", () =>
    withSchema(async (schema) => {
      const store = await opened(schema, STILL);
      const begun: string[] = [];
      const working =
        (name: string, until: Promise<unknown>): Work =>
        async (tx) => (await tx.run("select 1"), begun.push(name), until);
      const gates = Array.from({ length: PLACES }, () => deferred());
      const held = gates.map(({ promise }) => store.transaction(working("holder", promise)));
      while (begun.length < PLACES) await systemClock.yield();
      const backlog = store.transaction(working("backlog", Promise.resolve()), { mayShare: true });
      const request = store.transaction(working("request", Promise.resolve()));
      gates[0]!.resolve();
      await Promise.all([backlog, request]);
      for (const gate of gates) gate.resolve();
      await Promise.all(held);
      assert.deepEqual(begun.slice(PLACES), ["request", "backlog"]);
    }));

  test("where units of work wait for something else than the server, nobody shares", () =>
    withSchema(async (schema) => {
      let nowMs = 0;
      const store = await opened(schema, { ...STILL, monotonicMs: () => nowMs });
      await store.transaction(async (tx) => (await add(1)(tx), (nowMs += 100)), { mayShare: true });
      const all = deferred();
      let begun = 0;
      const work: Work = () => (++begun === 2 * PLACES ? all.resolve() : undefined, all.promise);
      await Promise.all(Array.from({ length: 2 * PLACES }, () => store.transaction(work, { mayShare: true })));
      assert.equal(begun, 2 * PLACES);
    }));

  test("units of work of a backlog are committed together, each once", () =>
    withSchema(async (schema) => {
      const store = await opened(schema, STILL);
      assert.deepEqual(await shared(store, [add(1), add(2), add(3)]), ["done", "done", "done"]);
      const rows = await store.read.all<{ x: string }>("select distinct xmin::text as x from things");
      assert.equal(rows.length, 1);
      assert.deepEqual(await ids(store), [1, 2, 3]);
    }));

  test("one that throws keeps its own error, and takes no neighbour's effects with it but until they run again", () =>
    withSchema(async (schema) => {
      const store = await opened(schema, STILL);
      const poison: Work = async (tx) => {
        await add(2)(tx);
        throw new TypeError("poison");
      };
      const { outcomes, go, rest } = together(store, [add(1), add(3)]);
      const poisoned = assert.rejects(store.transaction(poison, { mayShare: true }), new TypeError("poison"));
      go();
      assert.deepEqual(await Promise.all(outcomes), ["PR_STORE_CONFLICT", "PR_STORE_CONFLICT"]);
      await poisoned;
      await rest();
      assert.deepEqual(await ids(store), []);
      for (const id of [1, 3]) await store.transaction(add(id));
      assert.deepEqual(await ids(store), [1, 3]);
    }));

  test("a statement that fails sends all of them back, and only alone is it a failure", () =>
    withSchema(async (schema) => {
      const store = await opened(schema, STILL);
      await store.transaction(add(2));
      assert.deepEqual(await shared(store, [add(1), add(2)]), ["PR_STORE_CONFLICT", "PR_STORE_CONFLICT"]);
      assert.equal(await codeOf(store.transaction(add(2), { mayShare: true })), "PR_STORE_FAILED");
      assert.deepEqual(await ids(store), [2]);
    }));

  test("a failed statement that a unit of work keeps to itself commits nobody", () =>
    withSchema(async (schema) => {
      const store = await opened(schema, STILL);
      const silent: Work = async (tx) => void (await tx.run("select 1 / 0").catch(() => undefined));
      assert.deepEqual(await shared(store, [add(1), silent]), ["PR_STORE_CONFLICT", "PR_STORE_CONFLICT"]);
      assert.deepEqual(await ids(store), []);
    }));

  test("what one sets until its transaction's end, no other sees", () =>
    withSchema(async (schema) => {
      const store = await opened(schema, STILL);
      const seen: unknown[] = [];
      const read: Work = async (tx) => void seen.push((await tx.get("select current_setting('app.tenant', true) as tenant"))!["tenant"]);
      const setters: readonly Work[] = [
        (tx) => tx.run("select set_config('app.tenant', 'a', true)"),
        (tx) => tx.run("set local app.tenant = 'a'"),
        async (tx) => (await (tx.raw as Promise<{ query(text: string): Promise<unknown> }>)).query("set local app.tenant = 'a'"),
      ];
      for (const set of setters) assert.deepEqual(await shared(store, [add(seen.length), set, read]), ["done", "done", "done"]);
      assert.deepEqual(
        seen.map((tenant) => tenant ?? ""),
        ["", "", ""],
      );
    }));

  test("those who are done wait only so long for one whose turn lasts: they are sent back, and its later statements are refused", () =>
    withSchema(async (schema) => {
      const store = await opened(schema, WATCHED);
      const gate = deferred();
      const slow: Work = async (tx) => {
        await add(2)(tx);
        await gate.promise;
        await add(3)(tx);
      };
      const { outcomes, go, rest } = together(store, [add(1), slow]);
      go();
      assert.equal(await outcomes[0], "PR_STORE_CONFLICT");
      await store.transaction(add(1)); // nothing of theirs is locked any more
      gate.resolve();
      assert.equal(await outcomes[1], "PR_STORE_CONFLICT");
      await rest();
      assert.deepEqual(await ids(store), [1]);
    }));

  test("one that waits for a lock does so alone", () =>
    withSchema(async (schema) => {
      const store = await opened(schema, STILL);
      await store.transaction(add(2));
      const release = await schema.hold(`begin; update "${schema.name}".things set count = 1 where id = 2`);
      const update: Work = (tx) => tx.run("update things set count = 2 where id = 2");
      const { outcomes, go, rest } = together(store, [add(1)]);
      const isLocked = ({ cause }: Error): boolean => isPostriderError(cause, "PR_STORE_CONFLICT"); // not: the statement ran out of time
      const sentBack = assert.rejects(store.transaction(update, { mayShare: true }), isLocked);
      go();
      assert.equal(await outcomes[0], "PR_STORE_CONFLICT");
      await sentBack;
      await rest();
      const alone = store.transaction(update);
      await release();
      await alone;
    }));

  test("a connection that breaks in the middle commits nobody, and all can run again", () =>
    withSchema(async (schema) => {
      const store = await opened(schema, STILL);
      const cut: Work = async (tx) => {
        await add(2)(tx);
        await schema.admin(
          "select pg_terminate_backend(pid) from pg_stat_activity where application_name <> 'admin' and state = 'idle in transaction'",
        );
        await add(3)(tx);
      };
      assert.deepEqual(await shared(store, [add(1), cut]), ["PR_STORE_CONFLICT", "PR_STORE_CONFLICT"]);
      for (const id of [1, 2]) await store.transaction(add(id));
      assert.deepEqual(await ids(store), [1, 2]);
    }));

  test("a connection that breaks is known as the reason by all that shared it, and the next ones share again at once", () =>
    withSchema(async (schema) => {
      const store = await opened(schema, STILL);
      const isCutOff = ({ cause }: Error): boolean => store.isAway!(cause);
      const cut: Work = async (tx) => {
        await add(2)(tx);
        await schema.admin(
          "select pg_terminate_backend(pid) from pg_stat_activity where application_name <> 'admin' and state = 'idle in transaction'",
        );
        await add(3)(tx);
      };
      const { go, rest } = together(store, []);
      const sentBack = [add(1), cut].map((work) => assert.rejects(store.transaction(work, { mayShare: true }), isCutOff));
      go();
      await Promise.all(sentBack);
      await rest();
      assert.deepEqual(await shared(store, [add(1), add(2), add(3)]), ["done", "done", "done"]);
      const rows = await store.read.all<{ x: string }>("select distinct xmin::text as x from things");
      assert.equal(rows.length, 1);
    }));

  test("what they tell the inbox is written with the commit; where a rival has completed one meanwhile, none is committed, and alone it is told", () =>
    withSchema(async (schema) => {
      const store = await opened(schema, STILL);
      const entry = (id: number): InboxEntry => ({ handler: "bill", messageId: `m-${id}`, bodyHash: "x" });
      const bill =
        (id: number): Work =>
        async (tx) => {
          assert.equal(await tx.inbox.record(entry(id)), "first");
          await add(id)(tx);
        };
      assert.deepEqual(await shared(store, [bill(1), bill(2)]), ["done", "done"]);
      assert.equal(await store.inbox.check(entry(2)), "repeated");
      assert.deepEqual(await shared(store, [bill(3), bill(2)]), ["PR_STORE_CONFLICT", "PR_STORE_CONFLICT"]);
      assert.equal(await store.inbox.check(entry(3)), "first");
      assert.equal(await codeOf(store.transaction((tx) => tx.inbox.record(entry(2)), { mayShare: true })), "PR_STORE_CONFLICT");
      assert.equal(await store.transaction((tx) => tx.inbox.record(entry(2))), "repeated");
      assert.deepEqual(await ids(store), [1, 2]);
    }));

  test("a failure that may only come of a rival's effects is none: alone it is told that its message is done", () =>
    withSchema(async (schema) => {
      const store = await opened(schema, STILL);
      const failing =
        (messageId: string): Work =>
        async (tx) => {
          await tx.inbox.record({ handler: "bill", messageId, bodyHash: "x" });
          throw new TypeError("it is there already");
        };
      await store.transaction((tx) => tx.inbox.record({ handler: "bill", messageId: "done", bodyHash: "x" }));
      assert.equal(await codeOf(store.transaction(failing("done"), { mayShare: true })), "PR_STORE_CONFLICT");
      await assert.rejects(store.transaction(failing("new"), { mayShare: true }), new TypeError("it is there already"));
    }));

  test("statements of several units of work are under way at once only where each has one: whoever reads before it writes loses nothing", () =>
    withSchema(async (schema) => {
      const store = await opened(schema, STILL);
      await Promise.all(Array.from({ length: 2 * TERSE_UNITS }, (_, at) => handled(store, add(at + 1))));
      await Promise.all(Array.from({ length: 100 }, () => handled(store, increment)));
      assert.equal((await store.read.get<{ count: number }>("select count from things where id = 1"))!.count, 100);
      assert.equal((await ids(store)).length, 2 * TERSE_UNITS);
    }));
});
