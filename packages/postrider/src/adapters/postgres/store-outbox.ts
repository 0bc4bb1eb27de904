import { headersToColumn, headToColumn } from "../../envelope/columns.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import { kindOfDestination } from "../../envelope/outgoing.ts";
import { toText } from "./column-text.ts";
import { keyLockOf, lockOf, OUTBOX_KEY_CLASS } from "./locks.ts";
import { statement } from "./statement.ts";
import type { Statement } from "./statement.ts";
import { bodyColumns } from "./store-place.ts";
import type { StorePlace } from "./store-place.ts";

const ENVELOPE_COLUMNS = "id, aggregatetype, aggregateid, type, payload, is_text, may_repeat, head, headers, is_event";

/**
 * Outgoing messages, in the columns that Debezium's event router reads.
 *
 * A sequence's order is not the order of commits: a row may become visible after one with a greater number. So whoever appends holds a lock of each key until its
 * commit, which makes the two orders one *within a key*; across keys nothing depends on it, and no reader remembers how far it has come.
 */
export class OutboxTable {
  readonly #service: string;
  readonly #keyScope: number;
  readonly #append: Statement;
  readonly #appendOne: Statement;

  constructor({ service, schema }: StorePlace) {
    const table = `${schema}.pr_outbox`;
    this.#service = service;
    this.#keyScope = lockOf("outbox", schema, service);
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
