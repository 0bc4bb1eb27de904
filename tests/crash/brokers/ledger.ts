import { SCHEMA } from "./infrastructure.ts";
import type { On, StoreOf } from "./infrastructure.ts";

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
function tablesOf(on: On): readonly string[] {
  const at = on === "sqlite" ? "at integer primary key autoincrement" : "at bigint generated always as identity";
  return [
    `create table sent (${at}, producer text not null, n int not null, key text not null)`,
    `create table effects (${at}, handler text not null, producer text not null, n int not null, key text not null,
     pid int not null, attempt int not null, begun bigint not null)`,
  ];
}

const WANTED = "select producer, n, handler from sent cross join (select 'doer' as handler union all select 'auditor') h";
const LOST = `${WANTED} except select producer, n, handler from effects`;

/** What a direct send left behind whose sender died before it could say so is no phantom: its outcome is unknown. */
const VERDICT: Readonly<Record<keyof Verdict, string>> = {
  lost: `select count(*) as count from (${LOST}) l`,
  duplicates:
    "select (select count(*) from effects) - (select count(*) from (select distinct handler, producer, n from effects) d) as count",
  phantoms: `select count(*) as count from (select producer, n from effects where producer not like '%direct' except select producer, n from sent) p`,
  inversions: `select (select count(*) from (select n, lag(n) over (partition by handler, producer, key order by at) as n_before from effects) o where n_before > n)
    + (select count(*) from (select n, producer, key, row_number() over (partition by key order by at) as place from effects where handler = 'doer') d
       join (select n, producer, key, row_number() over (partition by key order by at) as place from effects where handler = 'auditor') a
       using (producer, n) where d.place <> a.place) as count`,
};

/** The effects of each handler before which one of the same producer and key came too early, with that one. */
const INVERTED = `select * from (select at, handler, producer, key, n, pid, attempt, begun, lag(at) over earlier as at_before,
    lag(n) over earlier as n_before, lag(pid) over earlier as pid_before, lag(attempt) over earlier as attempt_before, lag(begun) over earlier as begun_before
    from effects window earlier as (partition by handler, producer, key order by at)) o where n_before > n order by at limit 10`;

/** A {@link Progress} by the counters of the tables, at no cost: what was rolled back may be counted too. */
export function progressSql(on: On): string {
  const counter = (table: string): string =>
    on === "sqlite" ? `coalesce((select max(at) from ${table}), 0)` : `coalesce(pg_sequence_last_value('${SCHEMA}.${table}_at_seq'), 0)`;
  return `select ${counter("sent")} as sent, ${counter("effects")} as effects`;
}

type Store = ReturnType<StoreOf>;

/** What was sent and what came of it, in the database of the soaked system. */
export class Ledger implements AsyncDisposable {
  readonly #on: On;
  readonly #store: Store;

  constructor(on: On, storeOf: StoreOf) {
    this.#on = on;
    this.#store = storeOf("ledger");
  }

  async open(): Promise<void> {
    await this.#store.open();
    await this.#store.transaction(async (tx) => {
      for (const table of tablesOf(this.#on)) await tx.run(table);
    });
  }

  /** As committed. */
  async counts(): Promise<Progress> {
    return (await this.#store.read.get<Progress>("select (select count(*) from sent) as sent, (select count(*) from effects) as effects"))!;
  }

  /** At no cost, and with what was rolled back. */
  async flow(): Promise<Progress> {
    return (await this.#store.read.get<Progress>(progressSql(this.#on)))!;
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
    return this.#store.read.all(`${LOST} limit 10`);
  }

  /** Some of what is inverted: who did it, and when. */
  async someInverted(): Promise<readonly object[]> {
    return this.#store.read.all(INVERTED);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store.close();
  }
}
