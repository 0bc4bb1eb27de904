import { headersFromColumn, headersToColumn, headFromColumn, headToColumn } from "../../envelope/columns.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import { kindOfDestination } from "../../envelope/outgoing.ts";
import type { DeadLetter } from "../../ports/dead-letters.ts";
import type { OutboxReader, OutboxRow } from "../../ports/outbox.ts";
import { fromText, toText } from "./column-text.ts";
import { keyLockOf, lockOf, OUTBOX_KEY_CLASS } from "./locks.ts";
import { statement } from "./statement.ts";
import type { Run, Statement } from "./statement.ts";
import { addLetterSql, letterValues, REPLACE } from "./store-dead-letters.ts";
import { bodyColumns, bodyOf } from "./store-place.ts";
import type { StorePlace } from "./store-place.ts";

const OURS = "o.service = $1 and o.is_event = d.is_event and o.sequence = d.sequence and o.fence = d.fence";
const ENVELOPE_COLUMNS = "id, aggregatetype, aggregateid, type, payload, is_text, may_repeat, head, headers, is_event";

// As `letterValues` gives them: a select needs to be told.
const LETTER_TYPES =
  "text text text text text integer text boolean text text bytea boolean text text text text integer bigint integer".split(" ");

/**
 * Outgoing messages, in the columns that Debezium's event router reads.
 *
 * A sequence's order is not the order of commits: a row may become visible after one with a greater number. So whoever appends holds a lock of each key until its
 * commit, which makes the two orders one *within a key*; across keys nothing depends on it, and no reader remembers how far it has come.
 */
export class OutboxTable {
  readonly #service: string;
  readonly #keyScope: number;
  readonly #claimLock: number;
  readonly #append: Statement;
  readonly #appendOne: Statement;
  readonly #claim: Statement;
  readonly #done: Statement;
  readonly #giveBack: Statement;
  readonly #bury: Statement;
  readonly #depth: Statement;

  constructor({ service, schema }: StorePlace) {
    const table = `${schema}.pr_outbox`;
    this.#service = service;
    this.#keyScope = lockOf("outbox", schema, service);
    this.#claimLock = this.#keyScope;
    // The locks are taken before the first row gets its number, which the row needs their count for.
    this.#append = statement(
      `insert into ${table} (service, ${ENVELOPE_COLUMNS})
       select $1, m.id, m.destination, m.key, m.type, substring($2::bytea from m.start + 1 for m.bytes), m.is_text, m.may_repeat, m.head, m.headers, m.is_event
       from (select count(*) as count from (select pg_advisory_xact_lock(${OUTBOX_KEY_CLASS}, k) from unnest($3::integer[]) as k) as l) as locked,
       unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::integer[], $9::integer[], $10::boolean[], $11::boolean[], $12::text[], $13::text[], $14::boolean[])
         with ordinality as m (id, destination, key, type, start, bytes, is_text, may_repeat, head, headers, is_event, place)
       where locked.count >= 0 order by m.place`,
    );
    // The same for one message, in half the time: most transactions have no more.
    this.#appendOne = statement(
      `insert into ${table} (service, ${ENVELOPE_COLUMNS})
       select $1, $3::text, $4::text, $5::text, $6::text, $2::bytea, $7::boolean, $8::boolean, $9::text, $10::text, $11::boolean
       from (select case when $12::integer is null then null else pg_advisory_xact_lock(${OUTBOX_KEY_CLASS}, $12::integer) end) as locked`,
    );
    this.#claim = statement(
      `select sequence, fence, attempts, aggregatetype, payload, is_text, may_repeat, head, headers from ${schema}.pr_claim_outbox($1, $2, $3, $4, $5, $6)`,
    );
    this.#done = statement(
      `delete from ${table} o using unnest($2::boolean[], $3::bigint[], $4::integer[]) as d (is_event, sequence, fence) where ${OURS}`,
    );
    this.#giveBack = statement(
      `update ${table} o set fence = o.fence + 1, attempts = o.attempts + 1, free_at = $5::bigint, owner = null
       from unnest($2::boolean[], $3::bigint[], $4::integer[]) as d (is_event, sequence, fence) where ${OURS}`,
    );
    const letter = LETTER_TYPES.map((type, at) => `$${at + 5}::${type}`).join(", ");
    this.#bury = statement(
      `with gone as (delete from ${table} where service = $1 and is_event = $2 and sequence = $3 and fence = $4 returning 1)
       ${addLetterSql(schema)} select $1, ${letter} from gone ${REPLACE}`,
    );
    this.#depth = statement(`select count(*) as count from ${table} where service = $1`);
  }

  /** The statement that appends messages, and its values. Run it as late as can be: it holds the locks of their keys until the commit. */
  append(messages: readonly Outgoing[]): readonly [Statement, ...unknown[]] {
    if (messages.length === 1) return this.#one(messages[0]!);
    const bodies = messages.map(({ body }) => bodyColumns(body));
    let end = 0;
    const starts = bodies.map(([bytes]) => (end += bytes.length) - bytes.length);
    const column = <Value>(of: (message: Outgoing) => Value): Value[] => messages.map(of);
    return [
      this.#append,
      this.#service,
      Buffer.concat(bodies.map(([bytes]) => bytes)),
      this.#locksOf(messages),
      column(({ envelope }) => toText(envelope.id)),
      column(({ destination }) => toText(destination)),
      column(({ envelope }) => toText(envelope.partitionkey ?? envelope.id)),
      column(({ envelope }) => toText(envelope.type)),
      starts,
      bodies.map(([bytes]) => bytes.length),
      bodies.map(([, isText]) => isText),
      column(({ mayRepeat }) => mayRepeat),
      column(({ envelope }) => headToColumn(envelope)),
      column(({ headers }) => headersToColumn(headers)),
      column(isEvent),
    ];
  }

  #one(message: Outgoing): readonly [Statement, ...unknown[]] {
    const { destination, mayRepeat, envelope, headers, body } = message;
    const [bytes, isText] = bodyColumns(body);
    const place = [toText(envelope.id), toText(destination), toText(envelope.partitionkey ?? envelope.id), toText(envelope.type)];
    const lock = this.#locksOf([message])[0] ?? null;
    return [
      this.#appendOne,
      this.#service,
      bytes,
      ...place,
      isText,
      mayRepeat,
      headToColumn(envelope),
      headersToColumn(headers),
      isEvent(message),
      lock,
    ];
  }

  reader(run: Run, onAppended: OutboxReader["onAppended"]): OutboxReader {
    return {
      claim: async ({ kind, limit, owner, leaseMs }) => {
        const { rows } = await run(
          this.#claim,
          this.#service,
          kind === "event",
          this.#claimLock,
          limit,
          toText(owner),
          Math.round(leaseMs),
        );
        return rows.map(rowOf).sort((left, right) => left.sequence - right.sequence);
      },
      done: async (rows) => {
        if (rows.length > 0) await run(this.#done, this.#service, ...fences(rows));
      },
      giveBack: async (rows, retryAt) => {
        if (rows.length > 0) await run(this.#giveBack, this.#service, ...fences(rows), Math.round(retryAt));
      },
      bury: (row, letter) => this.#buryRow(run, row, letter),
      depth: async () => Number((await run(this.#depth, this.#service)).rows[0]!["count"]),
      onAppended,
    };
  }

  async #buryRow(run: Run, row: OutboxRow, letter: DeadLetter): Promise<boolean> {
    return (await run(this.#bury, this.#service, isEvent(row.message), row.sequence, row.fence, ...letterValues(letter))).rowCount === 1;
  }

  /** In one order for all: two that append to the same keys never wait for each other in a circle. */
  #locksOf(messages: readonly Outgoing[]): readonly number[] {
    const locks = new Set<number>();
    for (const { destination, envelope } of messages) {
      if (envelope.partitionkey !== undefined) locks.add(keyLockOf(this.#keyScope, destination, envelope.partitionkey));
    }
    return [...locks].sort((left, right) => left - right);
  }
}

const isEvent = ({ destination }: Outgoing): boolean => kindOfDestination(destination) === "event";

function fences(rows: readonly OutboxRow[]): readonly [boolean[], number[], number[]] {
  return [rows.map(({ message }) => isEvent(message)), rows.map(({ sequence }) => sequence), rows.map(({ fence }) => fence)];
}

function rowOf(row: Readonly<Record<string, unknown>>): OutboxRow {
  return {
    sequence: Number(row["sequence"]),
    fence: row["fence"] as number,
    attempts: row["attempts"] as number,
    message: {
      envelope: headFromColumn(row["head"] as string)!,
      headers: headersFromColumn(row["headers"] as string | null),
      body: bodyOf(row["payload"], row["is_text"]),
      destination: fromText(row["aggregatetype"]),
      mayRepeat: row["may_repeat"] === true,
    },
  };
}
