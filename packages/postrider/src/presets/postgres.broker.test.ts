import assert from "node:assert/strict";
import { Client, Pool } from "pg";
import { describe, test } from "vitest";
import { z } from "zod";
import { missingServer, serverUrl, withSchema } from "../adapters/postgres/postgres.test-support.ts";
import type { TestSchema } from "../adapters/postgres/postgres.test-support.ts";
import type { PgTransactionHandle } from "../adapters/postgres/foreign-transaction.ts";
import { systemClock } from "../base/clock.ts";
import type { Bus } from "../bus/api.ts";
import { createBus } from "../bus/bus.ts";
import { command, event } from "../contracts/contract.ts";
import { service } from "../pipeline/service.ts";
import { silentLogger } from "../telemetry/json-logger.ts";
import { codeOf, until } from "../testing/wait.ts";
import { memory } from "./memory.ts";
import { postgresMigrations, postgresStores } from "./postgres.ts";

const waiting = { pass: (ms: number): Promise<void> => systemClock.sleep(ms) };

const PlaceOrder = command("order.place", { version: 1, schema: z.object({ id: z.string() }) });
const OrderPlaced = event("order.placed", { version: 1, schema: z.object({ id: z.string() }), key: ({ id }) => id });

/** An app whose messages travel in memory and whose services keep their rows here. */
async function appOn(pool: Pool, schema: TestSchema): Promise<{ readonly bus: Bus; readonly mailed: string[] }> {
  const mailed: string[] = [];
  const ordering = service("ordering", (on) =>
    on(PlaceOrder, async ({ id }, { tx, publish }) => {
      await tx.run("insert into orders (id) values (?)", id);
      publish(OrderPlaced, { id });
    }),
  );
  const mailing = service("mailing", (on) =>
    on(OrderPlaced, async ({ id }, { once }) => void (await once("mail", async () => mailed.push(id)))),
  );
  const { commands, events } = memory();
  const store = postgresStores({ pool, schema: schema.name, logger: silentLogger });
  const bus = createBus({ services: [ordering, mailing], commands, events, store, logger: silentLogger });
  await bus.start();
  await bus.as("ordering").transaction(async ({ tx }) => void (await tx.run("create table orders (id text primary key)")));
  return { bus, mailed };
}

async function withApp(
  run: (app: { readonly bus: Bus; readonly mailed: string[]; readonly schema: TestSchema; readonly pool: Pool }) => Promise<void>,
): Promise<void> {
  await withSchema(async (schema) => {
    const pool = new Pool({ connectionString: serverUrl(), max: 8 });
    const { bus, mailed } = await appOn(pool, schema);
    try {
      await run({ bus, mailed, schema, pool });
    } finally {
      await bus.stop();
      await pool.end();
    }
  });
}

/** What libraries make of a transaction, as far as it matters: how a statement is run in it. */
const HANDLES: readonly (readonly [string, (client: Client) => unknown])[] = [
  ["a client of pg", (client) => client],
  [
    "TypeORM: query(sql, parameters) gives rows",
    (client): PgTransactionHandle => ({ query: async (text, values) => (await client.query(text, values)).rows as unknown }),
  ],
  [
    "Kysely: executeQuery gives rows",
    (client) => ({ query: async (text: string, values: unknown[]) => ({ rows: (await client.query(text, values)).rows as unknown }) }),
  ],
  [
    "Prisma: $executeRawUnsafe gives a count",
    (client) => ({ query: async (text: string, values: unknown[]) => (await client.query(text, values)).rowCount }),
  ],
];

// Without a server there is nothing to check; the bench says why there is none.
describe.skipIf(missingServer() !== undefined)("an app on PostgreSQL", () => {
  test("handles a command, its rows and its events, on a pool that stays the user's", () =>
    withApp(async ({ bus, mailed, schema, pool }) => {
      await bus.as("ordering").send(PlaceOrder, { id: "o-1" });
      await until(waiting, () => mailed.length === 1, "the mail was sent");
      assert.equal((await pool.query(`select id from "${schema.name}".orders`)).rowCount, 1);
      await bus.stop();
      assert.equal((await pool.query("select 1")).rowCount, 1);
    }));

  test.each(HANDLES)("messages leave with a transaction that was begun elsewhere, and only with it: %s", (_, handleOf) =>
    withApp(async ({ bus, mailed, schema }) => {
      const client = new Client({ connectionString: serverUrl() });
      await client.connect();
      const place = async (id: string, end: "commit" | "rollback"): Promise<void> => {
        await client.query("begin");
        await client.query(`insert into "${schema.name}".orders (id) values ($1)`, [id]);
        await bus.as("ordering").transaction(
          async ({ publish, schedule }) => {
            publish(OrderPlaced, { id });
            schedule(OrderPlaced, { id: `${id}-later` }, { delayMs: 1 });
          },
          { within: handleOf(client) },
        );
        await client.query(end);
      };
      await place("o-1", "rollback");
      await place("o-2", "commit");
      await until(waiting, () => mailed.length === 2, "the mails were sent");
      assert.deepEqual(
        mailed.toSorted((left, right) => (left < right ? -1 : 1)),
        ["o-2", "o-2-later"],
      );
      await client.end();
    }),
  );

  test("what is no transaction is refused", () =>
    withApp(async ({ bus }) => {
      const attempt = bus.as("ordering").transaction(async ({ publish }) => void publish(OrderPlaced, { id: "o-1" }), { within: {} });
      assert.equal(await codeOf(attempt), "PR_CONFIG_INVALID");
    }));

  test("the options' mistakes are told at once, and all of them", () => {
    assert.throws(() => postgresStores({}), /exactly one of url and pool/);
    assert.throws(() => postgresStores({ url: "postgres://x", maxConnections: 1 }), /maxConnections/);
    assert.throws(() => postgresStores({ url: "postgres://x", schema: "" }), /1 to 63 bytes/);
  });

  test("the printed statements can be run as they are", () =>
    withSchema(async (schema) => {
      await schema.script(postgresMigrations(schema.name));
      await schema.connect({ migrates: false }).store("billing").open();
      assert.ok((await schema.admin("select 1 from pg_class where relname = 'pr_outbox'")).length > 0);
    }));
});
