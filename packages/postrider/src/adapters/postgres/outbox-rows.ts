import { headersFromColumn, headFromColumn } from "../../envelope/columns.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import type { DeadLetter } from "../../ports/dead-letters.ts";
import type { OutboxRow } from "../../ports/outbox.ts";
import { letterNames, letterValues } from "../../rows/letter-row.ts";
import { fromText } from "./column-text.ts";
import type { UnclaimedRow } from "./outbox-claims.ts";
import type { FloorLook } from "./outbox-floor.ts";
import { list } from "./log-batch.ts";
import { plainRows } from "./log-codec.ts";
import type { Column } from "./log-codec.ts";
import { lsnOf } from "./outbox-leader.ts";
import { keyOf } from "./outbox-queue.ts";
import { replacing } from "./put.ts";
import { statement } from "./statement.ts";
import type { Run, Statement } from "./statement.ts";
import { bodyOf, COLUMNS } from "./store-place.ts";
import type { StorePlace } from "./store-place.ts";
import { isUnreadable } from "./vendor-error.ts";

const LAST = statement("select coalesce(pg_sequence_last_value($1::text::regclass), 0) as last_value"); // needs no right to read the sequence
// A prepared transaction holds its locks without a process: `<>` would leave it out.
const WRITERS = statement(
  `select array(select l.virtualtransaction from pg_locks l where l.locktype = 'relation' and l.mode = 'RowExclusiveLock' and l.granted
         and l.database = (select d.oid from pg_database d where d.datname = current_database())
         and l.relation = $1::text::regclass and l.pid is distinct from pg_backend_pid()) as writers`,
);
const CONFIRMED = statement("select confirmed_flush_lsn::text as lsn from pg_replication_slots where slot_name = $1");
const POSITION = statement("select pg_current_wal_insert_lsn()::text as lsn");

/** What a reading of the outbox looks for. */
export interface OutboxReading {
  /** Rows up to here are not looked at. */
  readonly floor: number;
  readonly limit: number;
  /** Not these: they are handed out, or sent and not removed yet. */
  readonly taken: readonly number[];
}

/** A row by its number. */
export interface UnsentRow {
  readonly sequence: number;
  readonly isLater: boolean;
}

const LETTER = letterNames(COLUMNS);
const TEXT_OR_BYTES = "case when is_text then convert_from(payload, 'UTF8') end, case when not is_text then encode(payload, 'hex') end";
const ROW = "sequence, attempts, aggregatetype, may_repeat, head, headers, is_text";

// As `letterValues` gives them: a select needs to be told.
const LETTER_TYPES =
  "text text text text text integer text boolean text text bytea boolean text text text text integer bigint integer".split(" ");

/** The statements of whoever leads one service's outbox. */
export class OutboxRows {
  readonly #service: string;
  readonly #run: Run;
  readonly #read: Statement;
  readonly #readBytes: Statement;
  readonly #unsent: Statement;
  readonly #remove: Statement;
  readonly #putOff: Statement;
  readonly #bury: Statement;
  readonly #depth: Statement;
  readonly #later: Statement;
  readonly #there: Statement;
  readonly #invisible: Statement;
  readonly #removeTo: Statement;
  readonly #table: string;
  readonly #schema: string;

  constructor({ service, schema }: StorePlace, run: Run) {
    const table = `${schema}.pr_outbox`;
    const led = `exists (select 1 from ${schema}.pr_outbox_leaders l where l.service = $1 and l.term = $2)`;
    this.#service = service;
    this.#run = run;
    this.#read = readingOf(schema, TEXT_OR_BYTES);
    this.#readBytes = readingOf(schema, "null, encode(payload, 'hex')");
    this.#unsent = statement(`select sequence, is_later from ${schema}.pr_unsent_outbox($1, $2, $3, $4)`);
    this.#remove = statement(`select ${schema}.pr_remove_outbox($1, $2, $3::bigint[]) as removed`);
    // Never zero: a row that was put off is found by its time, however soon that is.
    this.#putOff = statement(
      `update ${table} set attempts = attempts + 1, free_at = greatest(1, $5::bigint) where service = $1 and is_event = $3 and sequence = any ($4::bigint[]) and ${led}`,
    );
    const letter = LETTER_TYPES.map((type, at) => `$${at + 5}::${type}`).join(", ");
    this.#bury = statement(
      `with gone as (delete from ${table} where service = $1 and is_event = $3 and sequence = $4 and ${led} returning 1)
       insert into ${schema}.pr_dead_letters (service, ${LETTER}) select $1, ${letter} from gone ${replacing(LETTER)}`,
    );
    this.#depth = statement(`select count(*) as count from ${table} where service = $1`);
    // By the time, so that the index of these rows is taken, and not that of the numbers from their beginning.
    this.#later = statement(`select sequence from ${table} where service = $1 and is_event = $2 and free_at > 0 order by free_at`);
    this.#there = statement(
      `select sequence from ${table} where service = $1 and is_event in (false, true) and sequence = any ($2::bigint[])`,
    );
    // A transaction has 32 bits in the log, and 64 here. One that is newer than the newest of the snapshot is not seen yet.
    this.#invisible = statement(
      `select a.x as xid from (select x, s, n, (n - x) & 4294967295 as age
         from unnest($1::bigint[]) as x, pg_current_snapshot() as s, lateral (select pg_snapshot_xmax(s)::text::bigint as n) as newest) as a
       where case when a.age = 0 or a.age >= 2147483648 then true else not pg_visible_in_snapshot((a.n - a.age)::text::xid8, a.s) end`,
    );
    this.#removeTo = statement(
      `delete from ${table} where ctid = any (array(select ctid from ${table} where service = $1 and is_event in (false, true) and sequence <= $2 limit $3))`,
    );
    this.#table = table;
    this.#schema = schema;
  }

  /** Rows that may be sent now, oldest first. Rows that were put off hold up their keys until their time. */
  async read(isEvent: boolean, { floor, limit, taken }: OutboxReading): Promise<readonly UnclaimedRow[]> {
    const values = [this.#service, isEvent, floor, limit, list(taken)];
    try {
      return plainRows(await this.#run(this.#read, ...values)).map(rowOf);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      return plainRows(await this.#run(this.#readBytes, ...values)).map(rowOf);
    }
  }

  /** The numbers of the oldest rows beyond a floor, and whether they were put off. */
  async unsent(isEvent: boolean, floor: number, limit: number): Promise<readonly UnsentRow[]> {
    const { rows } = await this.#run(this.#unsent, this.#service, isEvent, floor, limit);
    return rows.map(({ sequence, is_later: isLater }) => ({ sequence: Number(sequence), isLater: isLater === true }));
  }

  /** Removes rows; gives which, where it was not all of them. */
  async remove(isEvent: boolean, sequences: readonly number[]): Promise<readonly number[] | undefined> {
    const removed = (await this.#run(this.#remove, this.#service, isEvent, list(sequences))).rows[0]!["removed"] as
      | readonly string[]
      | null;
    return removed?.map(Number);
  }

  /** Puts rows off, as long as nobody leads after `term`. */
  async putOff(term: number, isEvent: boolean, sequences: readonly number[], retryAt: number): Promise<void> {
    await this.#run(this.#putOff, this.#service, term, isEvent, sequences, Math.round(retryAt));
  }

  /** Removes a row and adds its letter, as long as nobody leads after `term`. */
  async bury(term: number, isEvent: boolean, row: OutboxRow, letter: DeadLetter): Promise<boolean> {
    return (await this.#run(this.#bury, this.#service, term, isEvent, row.sequence, ...letterValues(COLUMNS, letter))).rowCount === 1;
  }

  /** Which of some rows are there. */
  async there(sequences: readonly number[]): Promise<ReadonlySet<number>> {
    if (sequences.length === 0) return new Set();
    return new Set((await this.#run(this.#there, this.#service, sequences)).rows.map(({ sequence }) => Number(sequence)));
  }

  /** Which of some transactions, by the 32 bits of their ids, nobody sees yet. */
  async invisible(xids: readonly number[]): Promise<ReadonlySet<number>> {
    if (xids.length === 0) return new Set();
    return new Set((await this.#run(this.#invisible, xids)).rows.map(({ xid }) => Number(xid)));
  }

  /** How far a slot is confirmed; undefined while there is none. */
  async confirmed(slot: string): Promise<bigint | undefined> {
    const lsn = (await this.#run(CONFIRMED, slot)).rows[0]?.["lsn"];
    return typeof lsn === "string" ? lsnOf(lsn) : undefined;
  }

  /** Removes rows up to a number, the oldest first; gives how many there were. */
  async removeTo(last: number, limit: number): Promise<number> {
    return (await this.#run(this.#removeTo, this.#service, last, limit)).rowCount ?? 0;
  }

  /** Where the write-ahead log ends: what commits later ends beyond it. */
  async position(): Promise<bigint> {
    return lsnOf((await this.#run(POSITION)).rows[0]!["lsn"] as string);
  }

  async depth(): Promise<number> {
    return Number((await this.#run(this.#depth, this.#service)).rows[0]!["count"]);
  }

  /** The numbers of rows that were put off. */
  async later(isEvent: boolean): Promise<readonly number[]> {
    return (await this.#run(this.#later, this.#service, isEvent)).rows.map(({ sequence }) => Number(sequence));
  }

  /** See `OutboxFloor`: the last number is read first, and then who writes. */
  async look(): Promise<FloorLook> {
    const last = Number((await this.#run(LAST, `${this.#schema}.pr_outbox_sequence_seq`)).rows[0]!["last_value"]);
    const [row] = (await this.#run(WRITERS, this.#table)).rows;
    return { last, writers: new Set(row!["writers"] as string[]) };
  }
}

function readingOf(schema: string, body: string): Statement {
  return { ...statement(`select ${ROW}, ${body} from ${schema}.pr_read_outbox($1, $2, $3, $4, $5)`), isPlain: true };
}

/** A row of `ROW` and its body: as text, or as hexadecimal bytes. */
function rowOf(row: readonly Column[]): UnclaimedRow {
  const [sequence, attempts, destination, mayRepeat, head, headers, isText, text, bytes] = row;
  const message: Outgoing = {
    envelope: headFromColumn(head!)!,
    headers: headersFromColumn(headers!),
    body: text ?? bodyOf(Buffer.from(bytes!, "hex"), isText === "t"),
    destination: fromText(destination),
    mayRepeat: mayRepeat === "t",
  };
  return { sequence: Number(sequence), attempts: Number(attempts), message, key: keyOf(message) };
}
