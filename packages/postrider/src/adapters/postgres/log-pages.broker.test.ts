import assert from "node:assert/strict";
import { describe, test } from "vitest";
import type { PgClient } from "./connection.ts";
import { pageQuery, positionsQuery } from "./log-pages.ts";
import type { LogPage } from "./log-pages.ts";
import { plainRows } from "./log-codec.ts";
import { LogPlace } from "./log-place.ts";
import { LOG_PART } from "./log-schema.ts";
import { migrate } from "./migrations.ts";
import { quoted } from "./names.ts";
import { missingServer, withSchema } from "./postgres.test-support.ts";
import type { TestSchema } from "./postgres.test-support.ts";

const DESTINATION = 1;
const PAGE = { destination: DESTINATION, after: 9_000, maxRows: 500, maxBytes: 1_000_000 };

interface PagesTest {
  readonly client: PgClient;
  readonly log: LogPlace;
  /** Adds rows that say they have ten bytes, and have a thousand; every tenth is of high priority, every other one of type `even`. */
  readonly fill: (count: number) => Promise<void>;
  /** How many rows were touched by `work`. */
  readonly touchedBy: (work: () => Promise<unknown>) => Promise<number>;
  readonly positions: (page: LogPage) => Promise<readonly number[]>;
}

/** A log of its own, and one connection to it. */
async function withLog(run: (place: PagesTest) => Promise<void>): Promise<void> {
  await withSchema(async (schema) => {
    const { connections } = schema.connect();
    await connections.lend(async (client) => {
      await migrate(client, schema.name, LOG_PART);
      await run(placeOf(schema, client, new LogPlace(connections, schema.name)));
    });
  });
}

function placeOf(schema: TestSchema, client: PgClient, log: LogPlace): PagesTest {
  const table = `${quoted(schema.name)}.pr_log`;
  const counted = `select (seq_tup_read + idx_tup_fetch)::integer as rows from pg_stat_xact_user_tables where schemaname = '${schema.name}' and relname = 'pr_log'`;
  const touched = async (): Promise<number> => (await client.query({ text: counted })).rows[0]!["rows"] as number;
  return {
    client,
    log,
    fill: async (count) => {
      await client.query({
        text: `insert into ${table} (destination, position, lane, flags, bytes, stored_at, type, body)
          select $1::integer, n, 0, 4 + (n % 10 = 0)::integer, 10, 0, case n % 2 when 0 then 'even' else 'odd' end, repeat('x', 1000)
          from (select coalesce(max(position), 0) as last from ${table}) l, generate_series(l.last + 1, l.last + $2::integer) n`,
        values: [DESTINATION, count],
      });
    },
    touchedBy: async (work) => {
      await client.query({ text: "begin" }); // what is counted here is not handed on before its end
      const before = await touched();
      await work();
      const after = await touched();
      await client.query({ text: "commit" });
      return after - before;
    },
    positions: async (page) => plainRows(await client.query(pageQuery(log, page))).map(([position]) => Number(position)),
  };
}

function range(from: number, count: number, step = 1): readonly number[] {
  return Array.from({ length: count }, (_, at) => from + at * step);
}

// Without a server there is nothing to check; the bench prints why there is none.
describe.skipIf(missingServer() !== undefined)("pages of a log on PostgreSQL", () => {
  test("reading and cutting a log touches as many rows as it gives or cuts, whatever the server believes of the table", () =>
    withLog(async ({ client, log, fill, touchedBy, positions }) => {
      await client.query({ text: `alter table ${log.schema}.pr_log set (autovacuum_enabled = off)` });
      await fill(30_000); // the server counts rows now and then: until it does it takes them for a few
      const later = { ...PAGE, after: 12_000, to: 30_000 };
      assert.ok((await touchedBy(() => positions(later))) < 1000);
      assert.ok((await touchedBy(() => positions({ ...later, isHigh: false }))) < 1000);
      assert.ok((await touchedBy(() => positions({ ...later, isHigh: true }))) < 1000);
      assert.ok((await touchedBy(() => client.query(positionsQuery(log, later)))) < 1000);
      const trim = `select ${log.schema}.pr_trim_log(${DESTINATION}, 1e18::bigint, 29000, 1e12::bigint, 30000, 2000) as gone`;
      assert.ok((await touchedBy(() => client.query({ text: trim }))) < 5000); // the newest thousand, the oldest two thousand, and those that go
      assert.deepEqual(await positions({ ...PAGE, after: 0, maxRows: 1 }), [1_001]);
    }));

  test("a page has the rows that follow, of the priority and the types that are asked for, in their order", () =>
    withLog(async ({ fill, positions }) => {
      await fill(10_000);
      assert.deepEqual(await positions(PAGE), range(9_001, 500));
      assert.deepEqual(await positions({ ...PAGE, to: 9_003 }), [9_001, 9_002, 9_003]);
      assert.deepEqual(await positions({ ...PAGE, after: 0, isHigh: true }), range(10, 500, 10));
      assert.deepEqual(await positions({ ...PAGE, isHigh: false, types: ["even"], maxRows: 4 }), [9_002, 9_004, 9_006, 9_008]);
      assert.deepEqual(await positions({ ...PAGE, types: [] }), []);
      assert.deepEqual(await positions({ ...PAGE, destination: DESTINATION + 1 }), []);
    }));

  test("a page ends with the row that reaches its bytes, and has one at least", () =>
    withLog(async ({ fill, positions }) => {
      await fill(10_000);
      assert.deepEqual(await positions({ ...PAGE, maxBytes: 30 }), [9_001, 9_002, 9_003]);
      assert.deepEqual(await positions({ ...PAGE, maxBytes: 31 }), [9_001, 9_002, 9_003, 9_004]);
      assert.deepEqual(await positions({ ...PAGE, maxBytes: 1 }), [9_001]);
    }));
});
