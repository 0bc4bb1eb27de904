import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../packages/postrider/src/base/clock.ts";
import { missingOwn, ownBroker } from "../brokers/own.ts";
import type { OwnBroker } from "../brokers/own.ts";
import { faults, OutboxWorld, ownRow } from "./outbox-world.ts";
import { until } from "./wait.ts";

const missing = missingOwn("postgres");
const LIMIT_MS = 60_000;

let broker: OwnBroker;
let count = 0;

/** A schema of a test's own, and a world in it. */
function place(): { readonly url: string; readonly schema: string } {
  return { url: broker.url, schema: `outbox_${++count}` };
}

async function sql(text: string, ...values: unknown[]): Promise<readonly Record<string, unknown>[]> {
  const client = new Client({ connectionString: broker.url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text, values)).rows;
  } finally {
    await client.end();
  }
}

const goesAlone = (world: OutboxWorld): Promise<void> => until(async () => (await world.status())?.by === "replication");
const isEmpty = (world: OutboxWorld): Promise<void> => until(async () => (await world.store.outbox.depth()) === 0);

// Without a server there is nothing to check; the bench says why there is none.
describe.skipIf(missing !== undefined)("an outbox that is read from the write-ahead log", () => {
  beforeAll(
    async () => void (broker = await ownBroker("postgres", { settings: { max_slot_wal_keep_size: "1MB", min_wal_size: "32MB" } })),
    LIMIT_MS,
  );
  afterAll(async () => broker.close(), LIMIT_MS);
  afterEach(() => {
    for (const worker of workers) worker.kill("SIGKILL");
    workers = [];
  });

  test("leaves whole and in order while the way changes to and fro, bodies and headers as they were", { timeout: LIMIT_MS }, async () => {
    await using world = new OutboxWorld(place());
    const ways = new Set<string>();
    let refusals = 0;
    await world.relay((_, number) => number % 97 !== 96 || ++refusals % 2 === 0);
    const ids: string[] = [];
    for (let round = 0; round < 60 || ways.size < 2; round++) {
      ids.push(...(await world.write(20)));
      ways.add((await world.status())!.by);
    }
    await isEmpty(world);
    expect(faults(world.sent, ids)).toEqual([]);
    expect([...ways].toSorted()).toEqual(["polling", "replication"]);
    expect(world.warnings).toEqual([]);
  });

  test("what is read from the log is what was written, byte for byte", { timeout: LIMIT_MS }, async () => {
    await using world = new OutboxWorld(place());
    await world.store.open();
    const claim = (): Promise<readonly { readonly message: unknown }[]> =>
      world.store.outbox.claim({ kind: "event", limit: 50, owner: "relay", leaseMs: 13_000 });
    await until(async () => (await claim(), (await world.status())?.by === "replication"));
    await world.write(6);
    const rows: { readonly message: unknown }[] = [];
    await until(async () => rows.push(...(await claim())) === 6);
    await using other = new OutboxWorld({ ...place(), outbox: { by: "polling" } });
    await other.store.open();
    await other.write(6);
    const polled = await other.store.outbox.claim({ kind: "event", limit: 50, owner: "relay", leaseMs: 13_000 });
    expect(rows.map(({ message }) => message)).toEqual(polled.map(({ message }) => message));
  });

  test("a slot that is dropped behind its back is told and made anew; what it missed is polled", { timeout: LIMIT_MS }, async () => {
    await using world = new OutboxWorld(place());
    await world.relay();
    await goesAlone(world);
    const ids = [...(await world.write(30))];
    const { slot } = (await world.status())!;
    await until(async () => (await sql(`select 1 from outbox_${count}.pr_outbox_leaders where lsn is not null`)).length > 0);
    await sql("select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1", slot);
    await until(async () => {
      await sql("select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1 and not active", slot).catch(
        () => [],
      );
      ids.push(...(await world.write(3)));
      return world.warnings.some((text) => text.includes("was dropped"));
    });
    await goesAlone(world);
    ids.push(...(await world.write(30)));
    await isEmpty(world);
    expect(faults(world.sent, ids)).toEqual([]);
    expect(world.warnings.filter((text) => text.startsWith("PR_OUTBOX_REPLICATION "))).toEqual(world.warnings);
  });

  test("a slot that the server has overtaken is told and made anew", { timeout: LIMIT_MS }, async () => {
    const where = place();
    {
      await using world = new OutboxWorld(where);
      await world.relay();
      await goesAlone(world);
    }
    await until(async () => {
      await sql(
        "create table if not exists public.filler (a text); insert into public.filler select repeat('x', 1000) from generate_series(1, 3000)",
      );
      await sql("select pg_switch_wal()");
      await sql("checkpoint");
      return (await sql("select 1 from pg_replication_slots where wal_status = 'lost'")).length > 0;
    });
    await using world = new OutboxWorld(where);
    const ids = [...(await openAndWrite(world, 20))];
    await world.relay();
    await goesAlone(world);
    ids.push(...(await world.write(20)));
    await isEmpty(world);
    expect(faults(world.sent, ids)).toEqual([]);
    expect(world.warnings.some((text) => text.includes("max_slot_wal_keep_size"))).toBe(true);
  });

  test("the log is not kept for a broker that is away: the rows are in the table", { timeout: LIMIT_MS }, async () => {
    await using world = new OutboxWorld(place());
    let isAway = false;
    await world.relay(() => !isAway);
    await goesAlone(world);
    isAway = true;
    const ids = await world.write(30);
    await until(async () => (await world.status())!.by === "polling");
    const [{ end } = {}] = await sql("select pg_current_wal_lsn()::text as end");
    await until(
      async () =>
        (
          await sql(
            "select 1 from pg_replication_slots where slot_name = $1 and confirmed_flush_lsn >= $2::pg_lsn",
            (await world.status())!.slot,
            end,
          )
        ).length > 0,
    );
    expect(await world.store.outbox.depth()).toBe(30);
    isAway = false;
    await isEmpty(world);
    expect(faults(world.sent, ids)).toEqual([]);
  });

  test("while one process reads the others wait; the next takes over when it ends", { timeout: LIMIT_MS }, async () => {
    const where = place();
    await using second = new OutboxWorld(where);
    const ids: string[] = [];
    const first = new OutboxWorld(where);
    await first.relay();
    await goesAlone(first);
    await second.relay();
    ids.push(...(await second.write(30)));
    await isEmpty(second);
    expect([(await second.status())!.by, second.sent]).toEqual(["standby", []]);
    await first[Symbol.asyncDispose]();
    await goesAlone(second);
    ids.push(...(await second.write(30)));
    await isEmpty(second);
    expect(faults([...first.sent, ...second.sent], ids)).toEqual([]);
  });

  test("a reader that is killed is followed by another at once, each key in its order", { timeout: LIMIT_MS }, async () => {
    const where = place();
    await using world = new OutboxWorld(where);
    await world.store.open();
    const ids: string[] = [];
    const sent: string[] = [];
    for (let kill = 0; kill < 4; kill++) {
      const worker = await startWorker(where, sent);
      const before = sent.length;
      await until(async () => (ids.push(...(await world.write(5))), sent.length > before + 100));
      const gone = once(worker, "exit");
      worker.kill("SIGKILL");
      await gone;
    }
    const last = await startWorker(where, sent);
    await isEmpty(world);
    const gone = once(last, "exit");
    last.kill("SIGTERM");
    await gone;
    expect(faults(sent, ids, { mayRepeat: true })).toEqual([]);
  });

  test("the server is killed and started again", { timeout: LIMIT_MS }, async () => {
    await using world = new OutboxWorld(place());
    await world.relay();
    await goesAlone(world);
    const ids = [...(await world.write(30))];
    await isEmpty(world);
    await broker.kill();
    await broker.start();
    await until(
      async () =>
        (await world
          .write(30)
          .then((more) => ids.push(...more))
          .catch(() => 0)) > 0,
    );
    await goesAlone(world);
    ids.push(...(await world.write(30)));
    await isEmpty(world);
    const known = new Set(ids);
    expect(
      faults(
        world.sent.filter((id) => known.has(id)),
        ids,
        { mayRepeat: true },
      ),
    ).toEqual([]);
  });

  test(
    "a session that keeps the outbox from forgetting is named; messages of others go on, and its own when it commits",
    { timeout: LIMIT_MS },
    async () => {
      // Twenty times as fast as the machine's: what is looked at each ten seconds is looked at each half second.
      const clock = { ...systemClock, monotonicMs: () => performance.now() * 20 };
      const where = place();
      await using world = new OutboxWorld({ ...where, clock, outbox: { by: "polling" } });
      await world.relay();
      const first = await world.write(3);
      const forgetful = new Client({ connectionString: broker.url, application_name: "a forgetful report" });
      await forgetful.connect();
      await forgetful.query("begin");
      const { rows } = await forgetful.query<{ pid: number }>("select pg_backend_pid() as pid");
      const late = "0198c000-0000-7000-8000-0000000fffff";
      await forgetful.query(ownRow(where.schema, late));
      const ids: string[] = [];
      await until(async () => {
        ids.push(...(await world.write(3)));
        return world.warnings.some((text) => text.includes(`process ${rows[0]!.pid} (application a forgetful report`));
      });
      await forgetful.query("commit");
      await forgetful.end();
      await until(() => world.sent.includes(late));
      await isEmpty(world);
      expect(
        faults(
          world.sent.filter((id) => id !== late),
          [...first, ...ids],
        ),
      ).toEqual([]);
      expect(world.warnings[0]).toMatch(/^PR_OUTBOX_STALLED /);
    },
  );

  test("a server without wal_level logical is named, and polled", { timeout: LIMIT_MS }, async () => {
    await using plain = await ownBroker("postgres", { settings: { wal_level: "replica" } });
    await using world = new OutboxWorld({ url: plain.url, schema: "app" });
    await world.relay();
    const ids = await world.write(30);
    await isEmpty(world);
    await until(() => world.warnings.length > 0);
    expect(faults(world.sent, ids)).toEqual([]);
    expect(world.warnings[0]).toMatch(/^PR_OUTBOX_REPLICATION .*wal_level is replica/);
  });
});

let workers: ChildProcess[] = [];

/** A process that relays, and tells what it sends. */
async function startWorker({ url, schema }: ReturnType<typeof place>, sent: string[]): Promise<ChildProcess> {
  const worker = fork(join(import.meta.dirname, "outbox-worker.ts"), [url, schema], {
    execArgv: ["--conditions=@postrider/source", "--disable-warning=ExperimentalWarning"],
  });
  workers.push(worker);
  worker.on("message", (id) => void sent.push(id as string));
  await once(worker, "spawn");
  return worker;
}

async function openAndWrite(world: OutboxWorld, total: number): Promise<readonly string[]> {
  await world.store.open();
  return world.write(total);
}
