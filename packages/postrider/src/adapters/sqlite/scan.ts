import type { StatementSync } from "node:sqlite";
import type { Subscription } from "../../ports/transport.ts";
import type { Column, Connection } from "./connection.ts";
import type { LaneCursor } from "./lane-cursor.ts";
import type { Log } from "./log.ts";
import { logTable } from "./schema.ts";
import type { SqliteDelivery } from "./delivery.ts";
import type { LogMessage } from "../../lanes/log-delivery.ts";
import type { Tail } from "./tail.ts";
import type { Envelope, Headers, WireBody } from "../../envelope/envelope.ts";
import { headersFromColumn, headFromColumn } from "../../envelope/columns.ts";

// One pass may look at this many positions and hand over this many rows, so that the loop is never held for more than about a millisecond.
const MAX_SPAN = 2048;
const MAX_ROWS = 256;

/** Takes a message of a lane; false when there is no room for it. */
export type Take = (cursor: LaneCursor<SqliteDelivery>, message: LogMessage) => boolean;

/** What a pass came to. */
export type Pass = "nothing" | "more" | "full";

const COLUMNS = "position, lane, type, bytes, stored_at, may_repeat, head, headers, body";

/**
 * Reads one table of a log for one subscription: one scan for all lanes, which first lets those that lag behind catch up with the others.
 */
export class Scan {
  readonly #log: Log;
  readonly #reader: Connection;
  readonly isHigh: boolean;
  readonly #tail: Tail;
  readonly #types: ReadonlySet<string> | undefined;
  readonly #typeClause: string;

  constructor(log: Log, reader: Connection, subscription: Subscription, isHigh: boolean) {
    this.#log = log;
    this.#reader = reader;
    this.isHigh = isHigh;
    this.#tail = isHigh ? log.high : log.normal;
    this.#types = subscription.types === undefined ? undefined : new Set(subscription.types);
    this.#typeClause = subscription.types === undefined ? "" : ` and type in (${subscription.types.map(quoted).join(", ")})`;
  }

  /** Reads on from where the lanes are. */
  next(flowing: readonly LaneCursor<SqliteDelivery>[], take: Take): Pass {
    const end = this.#log.end();
    let from = end;
    for (const cursor of flowing) from = Math.min(from, cursor.trackOf(this).fetchedTo);
    if (from >= end) return "nothing";
    const group = new Map<number, LaneCursor<SqliteDelivery>>();
    let upTo = end;
    for (const cursor of flowing) {
      const { fetchedTo } = cursor.trackOf(this);
      if (fetchedTo === from) group.set(cursor.lane.number, cursor);
      else upTo = Math.min(upTo, fetchedTo);
    }
    const { reached, isFull } = this.#tail.covers(from)
      ? this.#fromTail(group, from, upTo, take)
      : this.#fromTable(group, from, upTo, take);
    for (const cursor of group.values()) cursor.trackOf(this).fetchedTo = reached;
    if (isFull) return "full";
    return reached < end || upTo < end ? "more" : "nothing";
  }

  /** Reads positions that an earlier owner left open. False when there is no room for the next one. */
  restore(cursor: LaneCursor<SqliteDelivery>, take: Take): boolean {
    const track = cursor.trackOf(this);
    while (track.restored.length > 0) {
      const chunk = track.restored.slice(0, MAX_ROWS);
      const rows = this.#statement(`position in (select value from json_each(?)) order by position`).iterate(JSON.stringify(chunk));
      const found = messagesOf(rows as unknown as Iterable<readonly Column[]>);
      if (!track.restore(chunk, found, (message) => take(cursor, message))) return false;
    }
    return true;
  }

  #fromTail(
    group: ReadonlyMap<number, LaneCursor<SqliteDelivery>>,
    from: number,
    upTo: number,
    take: Take,
  ): { readonly reached: number; readonly isFull: boolean } {
    let rows = 0;
    let isFull = false;
    const reached = this.#tail.walk(from, upTo, (message) => {
      if (rows >= MAX_ROWS) return false;
      const cursor = group.get(message.lane);
      if (cursor === undefined || (this.#types !== undefined && !this.#types.has(message.type))) return true;
      rows++;
      isFull = !take(cursor, message);
      return !isFull;
    });
    return { reached, isFull };
  }

  #fromTable(
    group: ReadonlyMap<number, LaneCursor<SqliteDelivery>>,
    from: number,
    end: number,
    take: Take,
  ): { readonly reached: number; readonly isFull: boolean } {
    const upTo = Math.min(end, from + MAX_SPAN);
    const lanes = group.size === this.#log.destination.lanes ? "" : ` and lane in (${[...group.keys()].join(", ")})`;
    const statement = this.#statement(`position > ? and position <= ?${lanes}${this.#typeClause} order by position limit ${MAX_ROWS}`);
    let rows = 0;
    let last = from;
    for (const row of statement.iterate(from, upTo) as unknown as Iterable<readonly Column[]>) {
      const message = new StoredMessage(row);
      if (!take(group.get(message.lane)!, message)) return { reached: message.position - 1, isFull: true };
      last = message.position;
      rows++;
    }
    if (rows === MAX_ROWS) return { reached: last, isFull: false };
    return { reached: rows === 0 ? this.#skipGap(upTo, end) : upTo, isFull: false };
  }

  /** Where nothing was found the log may have been cut: goes on just before the next row there is. */
  #skipGap(position: number, end: number): number {
    const next = this.#reader.get<{ position: number }>(
      `select position from ${logTable(this.#log.id, this.isHigh)} where position > ? order by position limit 1`,
      position,
    );
    return Math.min(end, next === undefined ? end : next.position - 1);
  }

  #statement(where: string): StatementSync {
    const statement = this.#reader.prepare(`select ${COLUMNS} from ${logTable(this.#log.id, this.isHigh)} where ${where}`);
    statement.setReturnArrays(true);
    return statement;
  }
}

/** A row of {@link COLUMNS} as a message. Of a class for the reason given at {@link listOf}. */
export class StoredMessage implements LogMessage {
  readonly position: number;
  readonly lane: number;
  readonly type: string;
  readonly bytes: number;
  readonly storedAt: number;
  readonly mayRepeat: boolean;
  readonly envelope: Envelope | undefined;
  readonly headers: Headers;
  readonly body: WireBody;

  constructor(row: readonly Column[]) {
    this.position = row[0] as number;
    this.lane = row[1] as number;
    this.type = row[2] as string;
    this.bytes = row[3] as number;
    this.storedAt = row[4] as number;
    this.mayRepeat = row[5] === 1;
    this.envelope = headFromColumn(row[6] as string | null);
    this.headers = headersFromColumn(row[7] as string | null);
    this.body = row[8] as WireBody;
  }
}

function* messagesOf(rows: Iterable<readonly Column[]>): Generator<LogMessage, void> {
  for (const row of rows) yield new StoredMessage(row);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
