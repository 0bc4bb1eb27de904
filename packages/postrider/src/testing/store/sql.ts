import assert from "node:assert/strict";
import { deferred } from "../../base/deferred.ts";
import type { Store } from "../../ports/store.ts";
import type { StoreEnvironment } from "../store-environment.ts";
import { inOne, rolledBack } from "../store-environment.ts";
import { needs } from "./test.ts";
import type { StoreTest } from "./test.ts";

/** Users' own tables, in the same transactions. */
export const sqlTests: readonly StoreTest[] = [
  test("users' rows commit with the parts of their transaction, and roll back with them", async (env) => {
    const store = await withTable(env);
    await inOne(
      store,
      (tx) => tx.run("insert into things (id, name) values (?, ?)", 1, "one"),
      (tx) => tx.inbox.record(env.entry()),
    );
    await rolledBack(store, async (tx) => {
      await tx.run("insert into things (id, name) values (?, ?)", 2, "two");
      await tx.inbox.record(env.entry());
    });
    assert.deepEqual((await store.read.all("select id, name from things")).map(plain), [{ id: 1, name: "one" }]);
    assert.equal(await store.inbox.count(), 1);
  }),
  test("run tells how many rows changed; get gives the first row or undefined; all gives all", async (env) => {
    const store = await withTable(env);
    await inOne(store, async (tx) => {
      assert.equal((await tx.run("insert into things (id, name) values (?, ?), (?, ?)", 1, "a", 2, "b")).changes, 2);
      assert.equal((await tx.run("update things set name = ? where id = ?", "c", 9)).changes, 0);
      assert.deepEqual(plain((await tx.get("select name from things where id = ?", 2))!), { name: "b" });
      assert.equal(await tx.get("select name from things where id = ?", 9), undefined);
      assert.equal((await tx.all("select * from things order by id")).length, 2);
      assert.deepEqual(await tx.all("select * from things where id = ?", 9), []);
    });
    assert.equal((await store.read.all("select * from things")).length, 2);
  }),
  test("values come back as they went in", async (env) => {
    const store = await withTable(env);
    const bytes = Uint8Array.of(0, 255, 128);
    await inOne(store, async (tx) => {
      await tx.run("insert into things (id, name, data) values (?, ?, ?)", 1, "à ✓ 주문 ' \" --", bytes);
      await tx.run("insert into things (id, name, data) values (?, ?, ?)", 2, null, null);
    });
    const rows = await store.read.all<{ id: number; name: string | null; data: Uint8Array | null }>(
      "select id, name, data from things order by id",
    );
    assert.equal(rows[0]!.name, "à ✓ 주문 ' \" --");
    assert.deepEqual([...rows[0]!.data!], [...bytes]);
    assert.deepEqual([rows[1]!.name, rows[1]!.data], [null, null]);
  }),
  test("a value is never read as SQL", async (env) => {
    const store = await withTable(env);
    await inOne(store, (tx) => tx.run("insert into things (id, name) values (?, ?)", 1, "x'); drop table things; --"));
    assert.equal((await store.read.get<{ name: string }>("select name from things"))?.name, "x'); drop table things; --");
  }),
  test("a statement that fails rejects, and the transaction that lets it through is rolled back", async (env) => {
    const store = await withTable(env);
    await inOne(store, (tx) => tx.run("insert into things (id, name) values (?, ?)", 1, "one"));
    await assert.rejects(
      inOne(
        store,
        (tx) => tx.inbox.record(env.entry()),
        (tx) => tx.run("insert into things (id, name) values (?, ?)", 1, "again"),
      ),
    );
    await assert.rejects(inOne(store, (tx) => tx.run("insert into nowhere values (1)")));
    assert.equal(await store.inbox.count(), 0);
    assert.equal((await store.read.all("select * from things")).length, 1);
  }),
  test("readers see committed rows only, while a transaction is open and when it has ended", async (env) => {
    const store = await withTable(env);
    const gate = deferred();
    const changed = deferred();
    const open = store.transaction(async (tx) => {
      await tx.run("insert into things (id, name) values (?, ?)", 1, "one");
      changed.resolve();
      await gate.promise;
      throw new Error("no");
    });
    const ended = assert.rejects(open, /no/);
    await changed.promise;
    // A store may answer at once, or once the transaction has ended: either way with what is committed.
    const read = store.read.all("select * from things");
    gate.resolve();
    assert.equal((await read).length, 0);
    await ended;
  }),
  test("many transactions that add to one row lose none of it", async (env) => {
    const store = await withTable(env);
    await inOne(store, (tx) => tx.run("insert into things (id, name, count) values (?, ?, ?)", 1, "one", 0));
    const add = (at: number): Promise<void> =>
      store.transaction(async (tx) => {
        await tx.run("update things set count = count + 1 where id = ?", 1);
        if (at % 5 === 0) throw new Error("no");
      });
    await Promise.allSettled(Array.from({ length: 50 }, (_, at) => add(at)));
    assert.equal((await store.read.get<{ count: number }>("select count from things"))?.count, 40);
  }),
  test("another instance sees users' rows once they are committed", async (env) => {
    const store = await withTable(env);
    const other = await env.store();
    await inOne(store, (tx) => tx.run("insert into things (id, name) values (?, ?)", 1, "one"));
    await env.until(async () => (await other.read.all("select * from things")).length === 1, "the other instance saw it");
  }),
];

async function withTable(env: StoreEnvironment): Promise<Store> {
  const store = await env.store();
  assert.equal(store.capabilities.sql, true);
  const bytes = env.fixture.bytesType ?? "blob";
  await inOne(store, (tx) => tx.run(`create table things (id integer primary key, name text, data ${bytes}, count integer)`));
  return store;
}

/** A row to compare: some drivers give rows without a prototype. */
function plain(row: object): object {
  return { ...row };
}

function test(name: string, run: (env: StoreEnvironment) => Promise<void>): StoreTest {
  return { name, notFor: needs("sql"), run };
}
