import { Client } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { missingOwn, ownBroker } from "../brokers/own.ts";
import type { OwnBroker } from "../brokers/own.ts";
import { faults, OutboxWorld, ownRow } from "./outbox-world.ts";
import { until } from "./wait.ts";

const missing = missingOwn("postgres");
const LIMIT_MS = 60_000;
const HIDDEN = "0198c000-0000-7000-8000-0000000fffff";
const APPLICATION = "hidden";

let broker: OwnBroker;
let count = 0;

async function sql(text: string, ...values: unknown[]): Promise<readonly Record<string, unknown>[]> {
  const client = new Client({ connectionString: broker.url });
  await client.connect();
  try {
    // Whoever waits for a standby that does not exist waits for ever.
    await client.query("set synchronous_commit = local");
    return (await client.query<Record<string, unknown>>(text, values)).rows;
  } finally {
    await client.end();
  }
}

/** A service's own view of a schema, whose commits wait for no standby. */
function worldIn(schema: string): OutboxWorld {
  return new OutboxWorld({ url: `${broker.url}?options=-c%20synchronous_commit%3Dlocal`, schema });
}

const goesAlone = (world: OutboxWorld): Promise<void> => until(async () => (await world.status())?.by === "replication");
const isEmpty = (world: OutboxWorld): Promise<void> => until(async () => (await world.store.outbox.depth()) === 0);
const slotIs = (world: OutboxWorld, what: string): Promise<void> =>
  until(
    async () => (await sql(`select 1 from pg_replication_slots where slot_name = $1 and ${what}`, (await world.status())!.slot)).length > 0,
  );

/** From now on nobody sees a row whose commit is in the log, until the returned function is called. */
async function hiddenCommit(schema: string): Promise<() => Promise<void>> {
  await sql("alter system set synchronous_standby_names = 'nobody'");
  await sql("select pg_reload_conf()");
  const client = new Client({ connectionString: broker.url, application_name: APPLICATION });
  await client.connect();
  const committed = client.query(ownRow(schema, HIDDEN));
  await until(
    async () =>
      (await sql("select 1 from pg_stat_activity where application_name = $1 and wait_event = 'SyncRep'", APPLICATION)).length > 0,
  );
  return async () => {
    await sql("select pg_cancel_backend(pid) from pg_stat_activity where application_name = $1", APPLICATION);
    await committed;
    await client.end();
  };
}

// Without a server there is nothing to check; the bench says why there is none.
describe.skipIf(missing !== undefined)("the opening of the write-ahead log", () => {
  beforeAll(async () => void (broker = await ownBroker("postgres", { settings: { max_prepared_transactions: "2" } })), LIMIT_MS);
  afterAll(async () => broker.close(), LIMIT_MS);
  afterEach(async () => {
    await sql("rollback prepared 'late'").catch(() => []); // of a test that failed: others would wait for it
    await sql("alter system reset synchronous_standby_names");
    await sql("select pg_reload_conf()");
  });

  test("a commit that is in the log before that place, and not in sight, is waited for", { timeout: LIMIT_MS }, async () => {
    const schema = `opening_${++count}`;
    {
      await using world = worldIn(schema);
      await world.relay();
      await goesAlone(world);
    }
    const show = await hiddenCommit(schema);
    await using world = worldIn(schema);
    await world.relay();
    await slotIs(world, "active");
    const [ids, ways]: [string[], Set<string>] = [[], new Set()];
    for (let round = 0; round < 30; round++) {
      ids.push(...(await world.write(3)));
      await isEmpty(world);
      ways.add((await world.status())!.by);
    }
    await show();
    expect([...ways]).toEqual(["polling"]);
    await goesAlone(world);
    ids.push(...(await world.write(30)));
    await isEmpty(world);
    expect(world.sent.filter((id) => !ids.includes(id))).toEqual([HIDDEN]);
    expect(
      faults(
        world.sent.filter((id) => id !== HIDDEN),
        ids,
      ),
    ).toEqual([]);
    expect(world.warnings).toEqual([]);
  });

  test("a transaction that wrote and is prepared is waited for, whoever leads meanwhile", { timeout: LIMIT_MS }, async () => {
    const schema = `opening_${++count}`;
    const first = new OutboxWorld({ url: broker.url, schema, outbox: { by: "polling" } });
    await first.relay();
    await first.write(3);
    const client = new Client({ connectionString: broker.url });
    await client.connect();
    await client.query("begin");
    await client.query(ownRow(schema, HIDDEN));
    await client.query("prepare transaction 'late'");
    await client.end();
    const [{ number } = {}] = await sql(`select last_value::integer as number from ${schema}.pr_outbox_sequence_seq`);
    const renewals = new Set<unknown>();
    const floors = new Set<number>();
    await until(async () => {
      await first.write(3);
      const [row] = await sql(`select renewed_at::text as renewed, event_floor::integer as floor from ${schema}.pr_outbox_leaders`);
      renewals.add(row!["renewed"]);
      floors.add(row!["floor"] as number);
      return renewals.size > 3;
    });
    expect(Math.max(...floors)).toBeLessThan(number as number);
    await isEmpty(first);
    await first[Symbol.asyncDispose]();
    await using second = new OutboxWorld({ url: broker.url, schema, outbox: { by: "polling" } });
    await second.relay();
    const ids = await second.write(3);
    await until(() => ids.every((id) => second.sent.includes(id)));
    await sql("commit prepared 'late'");
    await until(() => second.sent.includes(HIDDEN));
  });

  test("a backlog is read from the table first", { timeout: LIMIT_MS }, async () => {
    await using world = worldIn(`opening_${++count}`);
    await world.store.open();
    const ids = await world.write(1500, { size: 50 });
    await world.relay();
    await slotIs(world, "true");
    expect(world.sent.length).toBeGreaterThan(400); // a thousand that are left are no backlog any more
    await goesAlone(world);
    expect(faults(world.sent, ids)).toEqual([]);
  });
});
