import { postgresStores } from "postrider/postgres";
import { SCHEMA } from "./infrastructure.ts";

/** What is wrong at the end of a soak, as counts. */
export interface Verdict {
  /** Sent, and without an effect of each handler. */
  readonly lost: number;
  /** Effects too many. */
  readonly duplicates: number;
  /** Effects of what nobody sent. */
  readonly phantoms: number;
  /** Effects of a key against the order in which one producer sent them, or in which their causes took effect. */
  readonly inversions: number;
}

/** How far a soak has come. */
export interface Progress {
  readonly sent: number;
  readonly effects: number;
}

/** The ledgers have no unique constraint: what happens twice is there twice. A row of `sent` is committed with its message, or is written after the send was confirmed. */
const TABLES = [
  "create table sent (at bigint generated always as identity, producer text not null, n int not null, key text not null)",
  `create table effects (at bigint generated always as identity, handler text not null, producer text not null, n int not null, key text not null,
     pid int not null, attempt int not null, begun timestamptz not null, written timestamptz not null default clock_timestamp())`,
];

const HANDLERS = "(values ('doer'), ('auditor')) as h(handler)";

/** What a direct send left behind whose sender died before it could say so is no phantom: its outcome is unknown. */
const VERDICT: Readonly<Record<keyof Verdict, string>> = {
  lost: `select count(*) as count from sent s cross join ${HANDLERS}
    where not exists (select from effects e where (e.handler, e.producer, e.n) = (h.handler, s.producer, s.n))`,
  duplicates: "select count(*) - count(distinct (handler, producer, n)) as count from effects",
  phantoms: `select count(*) as count from effects e where producer not like '%direct'
    and not exists (select from sent s where (s.producer, s.n) = (e.producer, e.n))`,
  inversions: `select (select count(*) from (select n, lag(n) over (partition by handler, producer, key order by at) as before from effects) o where before > n)
    + (select count(*) from (select n, producer, key, row_number() over (partition by key order by at) as place from effects where handler = 'doer') d
       join (select n, producer, key, row_number() over (partition by key order by at) as place from effects where handler = 'auditor') a
       using (producer, n) where d.place <> a.place) as count`,
};

/** The effects of each handler before which one of the same producer and key came too early, with that one. */
const INVERTED = `select * from (select handler, producer, key, n, pid, attempt, begun, written,
    lag(n) over earlier as n_before, lag(pid) over earlier as pid_before, lag(attempt) over earlier as attempt_before, lag(begun) over earlier as begun_before, lag(written) over earlier as written_before
    from effects window earlier as (partition by handler, producer, key order by at)) o where n_before > n order by written limit 10`;

const counter = (table: string): string => `coalesce(pg_sequence_last_value('${SCHEMA}.${table}_at_seq'), 0)`;

/** A {@link Progress} by the counters of the tables, at no cost: what was rolled back is counted too. */
export const PROGRESS: string = `select ${counter("sent")} as sent, ${counter("effects")} as effects`;

/** The last look at millions of rows, on a machine that others use too. */
const LOOK_LIMIT_MS = 600_000;

type Store = ReturnType<ReturnType<typeof postgresStores>>;

/** What was sent and what came of it, in the database of the soaked system. */
export class Ledger implements AsyncDisposable {
  readonly #store: Store;

  constructor(url: string) {
    this.#store = postgresStores({ url, schema: SCHEMA, maxConnections: 2, statementTimeoutMs: LOOK_LIMIT_MS })("ledger");
  }

  async open(): Promise<void> {
    await this.#store.open();
    await this.#store.transaction(async (tx) => {
      for (const table of TABLES) await tx.run(table);
    });
  }

  /** As committed. */
  async counts(): Promise<Progress> {
    return (await this.#store.read.get<Progress>("select (select count(*) from sent) as sent, (select count(*) from effects) as effects"))!;
  }

  /** At no cost, and with what was rolled back. */
  async flow(): Promise<Progress> {
    return (await this.#store.read.get<Progress>(PROGRESS))!;
  }

  async lost(): Promise<number> {
    return (await this.#store.read.get<{ count: number }>(VERDICT.lost))!.count;
  }

  /** One question after another: of a million effects each takes seconds, and whoever waits behind them for a connection gives up. */
  async verdict(): Promise<Verdict> {
    const entries: [string, number][] = [];
    for (const [name, sql] of Object.entries(VERDICT)) entries.push([name, (await this.#store.read.get<{ count: number }>(sql))!.count]);
    return Object.fromEntries(entries) as unknown as Verdict;
  }

  /** Some of what is lost, for the report. */
  async someLost(): Promise<readonly object[]> {
    return this.#store.read.all(VERDICT.lost.replace("count(*) as count", "h.handler, s.producer, s.n, s.key") + " limit 10");
  }

  /** Some of what is inverted: who did it, and when. */
  async someInverted(): Promise<readonly object[]> {
    return this.#store.read.all(INVERTED);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store.close();
  }
}
