import type { OutboxClaim, OutboxReader, OutboxRow, OutboxWriter } from "../../ports/outbox.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import type { Connection } from "./connection.ts";
import type { StoreAccess, StorePlace } from "./place.ts";
import { addLetter } from "./store-dead-letters.ts";
import { headersFromColumn, headersToColumn, headFromColumn, headToColumn } from "../../envelope/columns.ts";

/** The outbox inside a transaction, with the columns that Debezium's event router reads. */
export class OutboxTable implements OutboxWriter {
  readonly #place: StorePlace;
  readonly #connection: Connection;

  constructor(place: StorePlace, connection: Connection) {
    this.#place = place;
    this.#connection = connection;
  }

  append(messages: readonly Outgoing[]): void {
    const sql = `insert into pr_outbox (service, id, aggregatetype, aggregateid, type, payload, destination, may_repeat, head, headers)
      values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
    for (const { envelope, headers, body, destination, mayRepeat } of messages) {
      const key = envelope.partitionkey ?? envelope.id;
      this.#connection.run(
        sql,
        this.#place.service,
        envelope.id,
        destination,
        key,
        envelope.type,
        body,
        destination,
        Number(mayRepeat),
        headToColumn(envelope),
        headersToColumn(headers),
      );
    }
  }
}

/** The outbox outside transactions. A key's rows are claimed in their order: never one while an earlier one is out or waits. */
export function outboxReader(access: StoreAccess, listeners: Set<() => void>): OutboxReader {
  const { service, reader, connection } = access;
  return {
    claim: (options) => access.write(() => claim(access, options)),
    done: (rows) =>
      access.write(() => {
        for (const row of rows) connection.run(`delete from pr_outbox where ${OURS}`, row.sequence, row.fence);
      }),
    giveBack: (rows, retryAt) =>
      access.write(() => {
        const sql = `update pr_outbox set fence = fence + 1, attempts = attempts + 1, claimed_until = 0, not_before = ? where ${OURS}`;
        for (const row of rows) connection.run(sql, retryAt, row.sequence, row.fence);
      }),
    bury: (row, letter) =>
      access.write(() => {
        if (connection.run(`delete from pr_outbox where ${OURS}`, row.sequence, row.fence) === 0) return false;
        addLetter(connection, service, letter);
        return true;
      }),
    depth: () =>
      Promise.resolve(reader.get<{ count: number }>("select count(*) as count from pr_outbox where service = ?", service)!.count),
    onAppended(listener) {
      const own = (): void => listener(); // a wrapper of its own: the same listener may come twice
      listeners.add(own);
      return () => void listeners.delete(own);
    },
  };
}

const OURS = "sequence = ? and fence = ?";

interface OutboxColumns {
  readonly sequence: number;
  readonly fence: number;
  readonly attempts: number;
  readonly destination: string;
  readonly mayRepeat: number;
  readonly head: string;
  readonly headers: string | null;
  readonly payload: string | Uint8Array;
}

function claim({ service, connection, clock }: StoreAccess, { kind, limit, owner, leaseMs }: OutboxClaim): OutboxRow[] {
  const nowMs = clock.now();
  const rows = connection.all<OutboxColumns>(
    `select sequence, fence + 1 as fence, attempts, destination, may_repeat as mayRepeat, head, headers, payload from pr_outbox as o
     where service = ?1 and is_event = ?4 and not_before <= ?2 and claimed_until <= ?2 and not exists (
       select 1 from pr_outbox as earlier where earlier.service = o.service and earlier.aggregateid = o.aggregateid and earlier.sequence < o.sequence
       and earlier.destination = o.destination and (earlier.not_before > ?2 or earlier.claimed_until > ?2))
     order by sequence limit ?3`,
    service,
    nowMs,
    limit,
    Number(kind === "event"),
  );
  const sql = "update pr_outbox set fence = ?, claimed_until = ?, owner = ? where sequence = ?";
  for (const row of rows) connection.run(sql, row.fence, nowMs + leaseMs, owner, row.sequence);
  return rows.map((row) => ({ sequence: row.sequence, fence: row.fence, attempts: row.attempts, message: messageOf(row) }));
}

function messageOf({ destination, mayRepeat, head, headers, payload }: OutboxColumns): Outgoing {
  return { envelope: headFromColumn(head)!, headers: headersFromColumn(headers), body: payload, destination, mayRepeat: mayRepeat === 1 };
}
