import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { VirtualClock } from "../../base/virtual-clock.ts";
import { NO_HEADERS } from "../../envelope/envelope.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import { OutboxDesk } from "./outbox-desk.ts";
import { OutboxRows } from "./outbox-rows.ts";
import { quoted } from "./names.ts";
import { missingServer, withSchema } from "./postgres.test-support.ts";
import type { TestSchema } from "./postgres.test-support.ts";
import { bound } from "./statement.ts";
import type { Run } from "./statement.ts";

const LEASE_MS = 60_000;

function message(at: number): Outgoing {
  const envelope = { id: `m-${at}`, source: "/s", type: "t", kind: "event", contractversion: 1, time: "2026-01-01T00:00:00.000Z" } as const;
  return { destination: "orders.events", mayRepeat: false, envelope, headers: NO_HEADERS, body: "{}" };
}

/** A desk of events before nine rows, which knows that no other can appear among them. */
async function deskOf(schema: TestSchema): Promise<{ readonly desk: OutboxDesk; readonly clock: VirtualClock }> {
  const database = schema.connect();
  const store = database.store("billing");
  await store.open();
  await store.transaction((tx) => tx.outbox.append(Array.from({ length: 9 }, (_, at) => message(at + 1))));
  await schema.admin(`insert into ${quoted(schema.name)}.pr_outbox_leaders values ('billing', 'test', 1, 0, 0, now(), 0, 0, null)`);
  const run: Run = (statement, ...values) => database.connections.query(bound(statement, values, true));
  const clock = new VirtualClock(0);
  const rows = new OutboxRows({ service: "billing", schema: quoted(schema.name) }, run);
  const desk = new OutboxDesk({ isEvent: true, rows, clock, floor: 0, term: 1 });
  while (desk.floor.visibleTo < 9) {
    await desk.look(() => true, 1);
    await clock.advance(1000);
  }
  return { desk, clock };
}

const numbersOf = (rows: readonly { readonly sequence: number }[]): number[] => rows.map(({ sequence }) => sequence);

// Without a server there is nothing to check; the bench says why there is none.
describe.skipIf(missingServer() !== undefined)("the desk of an outbox", () => {
  test("reads of a backlog go on where the last one ended, and rows whose claims end are read again", () =>
    withSchema(async (schema) => {
      const { desk, clock } = await deskOf(schema);
      assert.deepEqual(numbersOf(await desk.claim(3, LEASE_MS)), [1, 2, 3]);
      assert.deepEqual(numbersOf(await desk.claim(3, LEASE_MS)), [4, 5, 6]);
      assert.deepEqual([desk.floor.floor, desk.floor.from >= 6], [0, true]);
      await clock.advance(LEASE_MS);
      assert.deepEqual(numbersOf(await desk.claim(9, LEASE_MS)), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }));

  test("rows that were read ahead and forgotten, as one was given back, are read again", () =>
    withSchema(async (schema) => {
      const { desk } = await deskOf(schema);
      const first = await desk.claim(3, LEASE_MS);
      const second = await desk.claim(3, LEASE_MS); // and the last three are read ahead
      await desk.giveBack(first.slice(0, 1), 1);
      await desk.done([...first.slice(1), ...second]);
      assert.deepEqual(numbersOf(await desk.claim(9, LEASE_MS)), [1, 7, 8, 9]);
    }));

  test("a reading touches as many rows as it gives, whatever the server believes of the table", () =>
    withSchema(async (schema) => {
      const database = schema.connect();
      await database.store("billing").open();
      const table = `${quoted(schema.name)}.pr_outbox`;
      const fill = (count: number): Promise<unknown> =>
        schema.admin(
          `insert into ${table} (service, id, aggregatetype, aggregateid, type, payload, is_text, may_repeat, head, is_event)
           select 'billing', n::text, 'd', 'k', 't', convert_to('{}', 'UTF8'), true, false, '{}', true from generate_series(1, $1::integer) n`,
          count,
        );
      await schema.admin(`alter table ${table} set (autovacuum_enabled = off)`);
      await fill(10_000);
      await schema.admin(`analyze ${table}`); // the server counts rows now and then: it takes the next ones for a few
      await fill(20_000);
      const client = await database.connections.borrow();
      try {
        const run: Run = (statement, ...values) => client.query(bound(statement, values, true));
        const rows = new OutboxRows({ service: "billing", schema: quoted(schema.name) }, run);
        const touched = async (): Promise<number> => {
          const text =
            "select (seq_tup_read + idx_tup_fetch)::integer as rows from pg_stat_xact_user_tables where schemaname = $1 and relname = 'pr_outbox'";
          return (await client.query({ text, values: [schema.name] })).rows[0]!["rows"] as number;
        };
        await client.query({ text: "begin" }); // what is counted here is not handed on before its end
        const before = await touched();
        assert.equal((await rows.unsent(true, 9_900, 1000)).length, 1000);
        assert.equal((await rows.read(true, { floor: 9_900, limit: 1000, taken: [9_950] })).length, 1000);
        assert.ok((await touched()) - before < 3_000);
        await client.query({ text: "rollback" });
      } finally {
        client.release();
      }
    }));
});
