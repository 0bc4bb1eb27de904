import { Pool } from "pg";
import { numberOf, orders, type Order } from "../order.ts";
import type { OpenCarrier } from "../postrider.ts";
import { freshDatabase } from "../servers/postgres.ts";
import { PEER_CONCURRENCY } from "./concurrency.ts";
import { MergedInserts } from "./postgres-inserts.ts";

const CONNECTIONS = 10;
const WORKERS = 4;
const POLL_MS = 100;
const TAKE = `delete from jobs where id in (select id from jobs order by id limit ${String(PEER_CONCURRENCY)} for update skip locked) returning body`;

/** A queue on PostgreSQL as it is usually written: workers that take and remove rows in a transaction with SKIP LOCKED, many at a time; sends that are made at once become one insert. */
export async function skipLockedCarrier(url: string): Promise<OpenCarrier> {
  const database = await freshDatabase(url);
  const pool = new Pool({ connectionString: database.url, max: CONNECTIONS });
  pool.on("error", () => {});
  await pool.query("create table jobs (id bigint generated always as identity primary key, message_id uuid not null, body jsonb not null)");
  const order = orders();
  const inserts = new MergedInserts(pool, "jobs (message_id, body)", () => waiting.wake());
  const waiting = new Waiting();
  const carrier: OpenCarrier = {
    onHandled: () => {},
    send: (n) => inserts.add(JSON.stringify(order(n))),
    [Symbol.asyncDispose]: async () => {
      waiting.stop();
      await Promise.all(workers);
      await pool.end();
      await database.drop();
    },
  };
  const workers = Array.from({ length: WORKERS }, () => work(pool, waiting, (n) => carrier.onHandled(n)));
  return carrier;
}

async function work(pool: Pool, waiting: Waiting, onHandled: (n: number) => void): Promise<void> {
  while (!waiting.isOver) {
    const woken = waiting.next();
    const client = await pool.connect();
    await client.query("begin");
    const { rows } = await client.query<{ readonly body: Order }>({ name: "take", text: TAKE });
    for (const { body } of rows) onHandled(numberOf(body));
    await client.query("commit");
    client.release();
    if (rows.length === 0) await Promise.race([woken, new Promise((resolve) => void setTimeout(resolve, POLL_MS))]);
  }
}

/** Workers that have found nothing. */
class Waiting {
  isOver = false;
  #wakes: (() => void)[] = [];

  next(): Promise<void> {
    return new Promise((resolve) => this.#wakes.push(resolve));
  }

  wake(): void {
    for (const wake of this.#wakes.splice(0)) wake();
  }

  stop(): void {
    this.isOver = true;
    this.wake();
  }
}
