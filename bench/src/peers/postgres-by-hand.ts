import { Pool } from "pg";
import { numberOf, orders, type Order } from "../order.ts";
import type { OpenCarrier } from "../postrider.ts";
import { freshDatabase } from "../servers/postgres.ts";
import { MergedInserts } from "./postgres-inserts.ts";

const BATCH = 500;
const CONNECTIONS = 10;
const POLL_MS = 100;
const NOTE = "sixty bytes in all with the rest";

const TABLES = `create table log (position bigint generated always as identity primary key, id uuid not null, body jsonb not null);
  create table cursor (service text primary key, position bigint not null);
  create table inbox (service text, id uuid, primary key (service, id));
  create table bench_orders (id integer primary key, customer text not null, total integer not null, note text not null);
  insert into cursor values ('ordering', 0)`;

interface Row {
  readonly position: string;
  readonly id: string;
  readonly body: Order;
}

/** What a hand-written carrier does with each message. */
export interface ByHandOptions {
  /** An inbox row and a business row in one transaction for each message, so many of them at once; 0: the cursor only, once for each batch. */
  readonly transactionsAtOnce: number;
}

/** A carrier whose reading can be stopped, so that a backlog grows. */
export interface Backlogged extends OpenCarrier {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * A queue on PostgreSQL as one would write it for one sender and one reader: sends that are made at once become one insert, one reader reads on by position.
 *
 * It has one reader and one writer, no lanes, no leases, and would skip what is committed late: what it leaves out is what a library is for.
 */
export async function postgresByHand(url: string, options: ByHandOptions): Promise<Backlogged> {
  const database = await freshDatabase(url);
  const pool = new Pool({ connectionString: database.url, max: CONNECTIONS });
  pool.on("error", () => {});
  await pool.query(TABLES);
  const hand = new ByHand(pool, options);
  await hand.start();
  return Object.assign(hand, {
    [Symbol.asyncDispose]: async () => {
      await hand.stop();
      await pool.end();
      await database.drop();
    },
  });
}

class ByHand {
  onHandled: (n: number) => void = () => {};
  readonly #pool: Pool;
  readonly #options: ByHandOptions;
  readonly #order = orders();
  readonly #inserts: MergedInserts;
  #reading: Promise<void> | undefined;
  #isStopped = false;
  #wake: () => void = () => {};
  #position = "0";

  constructor(pool: Pool, options: ByHandOptions) {
    this.#pool = pool;
    this.#options = options;
    this.#inserts = new MergedInserts(pool, "log (id, body)", () => this.#wake());
  }

  readonly send = (n: number): Promise<void> => this.#inserts.add(JSON.stringify(this.#order(n)));

  start(): Promise<void> {
    this.#isStopped = false;
    this.#reading = this.#read();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake();
    await this.#reading;
  }

  async #read(): Promise<void> {
    while (!this.#isStopped) {
      const text = `select position, id, body from log where position > $1 order by position limit ${BATCH}`;
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      const { rows } = await this.#pool.query<Row>({ name: "read", text, values: [this.#position] });
      if (rows.length === 0) {
        await Promise.race([woken, new Promise((resolve) => void setTimeout(resolve, POLL_MS))]);
        continue;
      }
      if (this.#options.transactionsAtOnce > 0) await this.#handleEach(rows);
      this.#position = rows.at(-1)!.position;
      await this.#pool.query({
        name: "move",
        text: "update cursor set position = $1 where service = 'ordering'",
        values: [this.#position],
      });
      if (this.#options.transactionsAtOnce === 0) for (const { body } of rows) this.onHandled(numberOf(body));
    }
  }

  async #handleEach(rows: readonly Row[]): Promise<void> {
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < rows.length) await this.#handle(rows[next++]!);
    };
    await Promise.all(Array.from({ length: this.#options.transactionsAtOnce }, lane));
  }

  async #handle({ id, body }: Row): Promise<void> {
    const client = await this.#pool.connect();
    try {
      await client.query("begin");
      await client.query({ name: "inbox", text: "insert into inbox values ('ordering', $1) on conflict do nothing", values: [id] });
      const n = numberOf(body);
      const values = [n, body.customerId, body.total.amount, NOTE];
      await client.query({
        name: "row",
        text: "insert into bench_orders values ($1, $2, $3, $4) on conflict (id) do update set customer = excluded.customer",
        values,
      });
      await client.query("commit");
      this.onHandled(n);
    } finally {
      client.release();
    }
  }
}
