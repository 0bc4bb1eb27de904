import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { isPostriderError } from "../../base/errors.ts";
import { codeOf } from "../../testing/wait.ts";
import { migrate, migrationSql } from "./migrations.ts";
import { quoted } from "./names.ts";
import { missingServer, serverUrl, TestSchema, withSchema } from "./postgres.test-support.ts";
import { STORE_PART } from "./store-schema.ts";

const PART = {
  name: "part",
  steps: ["create table {schema}.a (id integer)", "alter table {schema}.a add b integer; create index on {schema}.a (b)"],
};

function versions(schema: TestSchema): Promise<readonly Readonly<Record<string, unknown>>[]> {
  return schema.admin(`select part, version from ${quoted(schema.name)}.postrider_migrations order by part, version`);
}

// Without a server there is nothing to check; the bench says why there is none.
describe.skipIf(missingServer() !== undefined)("migrations of PostgreSQL", () => {
  test("of many processes that start at once each finds the tables made, and each step ran once", () =>
    withSchema(async (schema) => {
      const databases = Array.from({ length: 12 }, () => schema.connect({ maxConnections: 2 }));
      await Promise.all(databases.map(({ connections }) => connections.lend((client) => migrate(client, schema.name, PART))));
      assert.deepEqual(await versions(schema), [
        { part: "part", version: 1 },
        { part: "part", version: 2 },
      ]);
    }));

  test("a step that fails takes all with it, and the next start makes them", () =>
    withSchema(async (schema) => {
      const { connections } = schema.connect();
      const broken = { ...PART, steps: [PART.steps[0]!, "create table {schema}.a (id integer)"] };
      await assert.rejects(connections.lend((client) => migrate(client, schema.name, broken)));
      assert.equal((await schema.admin("select 1 from pg_namespace where nspname = $1", schema.name)).length, 0);
      await connections.lend((client) => migrate(client, schema.name, PART));
      assert.equal((await versions(schema)).length, 2);
    }));

  test("a later release adds its steps, and an earlier one refuses what it does not know", () =>
    withSchema(async (schema) => {
      const { connections } = schema.connect();
      const earlier = { ...PART, steps: PART.steps.slice(0, 1) };
      await connections.lend((client) => migrate(client, schema.name, earlier));
      await connections.lend((client) => migrate(client, schema.name, PART));
      assert.equal((await versions(schema)).length, 2);
      assert.equal(await codeOf(connections.lend((client) => migrate(client, schema.name, earlier))), "PR_STORE_VERSION");
    }));

  test("the printed statements make the same, and who may create nothing can use it", () =>
    withSchema(async (schema) => {
      for (const one of [`begin; create schema ${quoted(schema.name)}; commit`, migrationSql(schema.name, STORE_PART)])
        await schema.script(one);
      const role = `${schema.name.slice(0, 20)}_app`;
      await schema.script(`create role ${role} login; grant usage on schema ${quoted(schema.name)} to ${role};
        grant select, insert, update, delete on all tables in schema ${quoted(schema.name)} to ${role};
        grant usage on all sequences in schema ${quoted(schema.name)} to ${role}`);
      const url = new URL(serverUrl());
      url.username = role;
      for (const migrates of [true, false]) {
        const store = schema.connect({ url: url.href, migrates }).store("billing");
        await store.open();
        await store.transaction((tx) => tx.schedule.cancel("x"));
        assert.deepEqual(await store.outbox.claim({ kind: "event", limit: 1, owner: "o", leaseMs: 1000 }), []);
        await store.close();
      }
      await schema.script(`drop owned by ${role}; drop role ${role}`);
    }));

  test("who does not migrate is told what is missing", () =>
    withSchema(async (schema) => {
      await assert.rejects(
        schema.connect({ migrates: false }).store("billing").open(),
        (error) => isPostriderError(error, "PR_CONFIG_INVALID") && /version 0/.test(error.message),
      );
    }));

  test("a schema may be called anything that PostgreSQL can hold", async () => {
    for (const name of ['we"ird', "it's", "select", "a.b", "Ünïcode 주문", "{schema}", "$1", "x".repeat(63), "\\"]) {
      const schema = new TestSchema(name);
      try {
        const store = schema.connect().store('o\'brien "x"');
        await store.open();
        await store.transaction((tx) => tx.run("create table things (id integer)"));
        await store.effects.begin("k");
        assert.deepEqual(await store.outbox.claim({ kind: "event", limit: 1, owner: "o", leaseMs: 1000 }), []);
        await store.close();
      } finally {
        await schema.close();
      }
    }
    for (const name of ["", "x".repeat(64), "a\u0000b", "a$$b", "$claim$"])
      assert.throws(
        () => new TestSchema(name).connect(),
        (error) => isPostriderError(error, "PR_CONFIG_INVALID"),
      );
  });
});
