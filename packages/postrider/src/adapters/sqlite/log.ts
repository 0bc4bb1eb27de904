import type { SQLInputValue, StatementSync } from "node:sqlite";
import { laneOf } from "../../base/ids.ts";
import { bodyBytes } from "../../envelope/envelope.ts";
import type { Destination } from "../../ports/transport.ts";
import type { Envelope, Headers, Outgoing, WireBody } from "../../envelope/envelope.ts";
import type { Connection } from "./connection.ts";
import { logTable } from "./schema.ts";
import { Tail } from "./tail.ts";
import type { LogMessage } from "../../lanes/log-delivery.ts";
import type { Participant, Turn } from "./turn.ts";
import { hasNone, headersToColumn, headToColumn, headerBytes, keepable } from "../../envelope/columns.ts";
import type { Writer } from "./writer.ts";

/** Who wants to know of new rows. */
export interface LogReader {
  wake(): void;
  /** Up to where it has read a table. */
  readTo(isHigh: boolean): number;
}

/** What a log stands on. */
export interface LogOptions {
  readonly id: number;
  readonly destination: Destination;
  readonly connection: Connection;
  readonly reader: Connection;
  readonly writer: Writer;
}

const ROWS_PER_INSERT = 8;

/** Where one of the two tables ends. */
interface TableEnd {
  position: number;
  ordinal: number;
  totalBytes: number;
}

/**
 * The messages of one destination: a table in the order of commits, and a second one for high priority with the same sequence of positions.
 *
 * There is one writer, so positions become visible in their order, and a cursor never passes one that is still to come.
 */
export class Log implements Participant {
  readonly id: number;
  readonly destination: Destination;
  readonly normal: Tail = new Tail();
  readonly high: Tail = new Tail();
  readonly #options: LogOptions;
  readonly #readers = new Set<LogReader>();
  readonly #inserts = new Map<string, StatementSync>();
  #ends: readonly [TableEnd, TableEnd] = [noRows(), noRows()];
  #last = 0;
  #lastVersion = 0;
  #committedEnd = 0;
  #committedVersion = 0;
  /** Whether this turn has written rows that no reader asked for, so that the tail has a hole. */
  #hasHole = false;
  readonly #pending: readonly [LogMessage[], LogMessage[]] = [[], []];
  readonly #parameters: SQLInputValue[] = [];

  constructor(options: LogOptions) {
    this.id = options.id;
    this.destination = options.destination;
    this.#options = options;
  }

  addReader(reader: LogReader): void {
    this.#readers.add(reader);
  }

  removeReader(reader: LogReader): void {
    this.#readers.delete(reader);
  }

  wakeReaders(): void {
    for (const reader of this.#readers) reader.wake();
  }

  /** A reader has read on: what all have read is forgotten. */
  passed(): void {
    for (const isHigh of [false, true]) {
      let least = Infinity;
      for (const reader of this.#readers) least = Math.min(least, reader.readTo(isHigh));
      (isHigh ? this.high : this.normal).dropTo(least);
    }
  }

  /** Takes a message into the turn. It is written at the end of it, several rows to a statement. */
  append(turn: Turn, outgoing: Outgoing, nowMs: number): void {
    const { envelope, headers, body } = outgoing;
    if (this.#lastVersion !== this.#options.writer.version) this.#reload();
    const lane = laneOf(envelope.partitionkey ?? envelope.id, this.destination.lanes);
    const bytes = bodyBytes(body) + headerBytes(headers);
    const position = ++this.#last;
    this.#pending[envelope.priority === "high" ? 1 : 0].push(new NewMessage(position, lane, bytes, nowMs, outgoing));
    turn.touch(this);
    if (this.#readers.size === 0) this.#hasHole = true;
  }

  /** The last position that is certainly committed, whoever wrote it. */
  end(): number {
    const { writer, reader } = this.#options;
    if (this.#committedVersion !== writer.version) {
      const [normal, high] = this.#readEnds(reader);
      this.#committedEnd = Math.max(this.#committedEnd, normal.position, high.position);
      this.#committedVersion = writer.version;
    }
    return this.#committedEnd;
  }

  flush(): void {
    this.#insertAll(false);
    this.#insertAll(true);
  }

  committed(): void {
    this.#committedEnd = Math.max(this.#committedEnd, this.#last);
    const [normal, high] = this.#pending;
    if (this.#hasHole) {
      this.#restartTails(this.#last);
    } else {
      this.normal.extend(normal.map(kept), this.#last);
      this.high.extend(high.map(kept), this.#last);
    }
    this.#forgetTurn();
    this.wakeReaders();
  }

  rolledBack(): void {
    this.#forgetTurn();
    this.#lastVersion = 0;
  }

  /** Rows go in by eights, then one by one: a statement for eight costs two thirds of eight statements. */
  #insertAll(isHigh: boolean): void {
    const pending = this.#pending[isHigh ? 1 : 0];
    const end = this.#ends[isHigh ? 1 : 0];
    for (let at = 0; at < pending.length;) {
      const rows = pending.length - at >= ROWS_PER_INSERT ? ROWS_PER_INSERT : 1;
      const parameters = this.#parameters;
      for (let row = 0; row < rows; row++) {
        const message = pending[at++]!;
        end.position = message.position;
        end.ordinal++;
        end.totalBytes += message.bytes;
        pushRow(parameters, message, end);
      }
      this.#insert(isHigh, rows).run(...parameters);
      parameters.length = 0;
    }
  }

  #insert(isHigh: boolean, rows: number): StatementSync {
    const name = `${isHigh} ${rows}`;
    let statement = this.#inserts.get(name);
    if (statement === undefined) {
      const places = Array.from({ length: rows }, () => "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)").join(", ");
      statement = this.#options.connection.db.prepare(`insert into ${logTable(this.id, isHigh)} values ${places}`);
      this.#inserts.set(name, statement);
    }
    return statement;
  }

  #forgetTurn(): void {
    this.#hasHole = false;
    for (const messages of this.#pending) messages.length = 0;
    this.#parameters.length = 0;
  }

  #restartTails(end: number): void {
    this.normal.restart(end);
    this.high.restart(end);
  }

  /** Others may have written, or our own turn came to nothing: goes by what is there, under the write lock. */
  #reload(): void {
    const { connection, writer } = this.#options;
    this.#ends = this.#readEnds(connection);
    const last = Math.max(this.#ends[0].position, this.#ends[1].position);
    if (last !== this.#last || this.#lastVersion === 0) this.#restartTails(last);
    this.#last = last;
    this.#lastVersion = writer.version;
  }

  #readEnds(connection: Connection): readonly [TableEnd, TableEnd] {
    const endOf = (isHigh: boolean): TableEnd =>
      connection.get<TableEnd>(
        `select position, ordinal, total_bytes as totalBytes from ${logTable(this.id, isHigh)} order by position desc limit 1`,
      ) ?? noRows();
    return [endOf(false), endOf(true)];
  }
}

/** A row that is written here. Of a class for the reason given at {@link listOf}. */
class NewMessage implements LogMessage {
  readonly position: number;
  readonly lane: number;
  readonly type: string;
  readonly bytes: number;
  readonly storedAt: number;
  readonly mayRepeat: boolean;
  readonly envelope: Envelope;
  readonly headers: Headers;
  readonly body: WireBody;

  constructor(position: number, lane: number, bytes: number, storedAt: number, { envelope, headers, body, mayRepeat }: Outgoing) {
    this.position = position;
    this.lane = lane;
    this.type = envelope.type;
    this.bytes = bytes;
    this.storedAt = storedAt;
    this.mayRepeat = mayRepeat;
    this.envelope = envelope;
    this.headers = headers;
    this.body = body;
  }
}

function noRows(): TableEnd {
  return { position: 0, ordinal: 0, totalBytes: 0 };
}

function pushRow(parameters: SQLInputValue[], message: LogMessage, end: TableEnd): void {
  const { position, lane, type, bytes, storedAt, mayRepeat, envelope, headers, body } = message;
  parameters.push(
    position,
    lane,
    type,
    bytes,
    storedAt,
    end.ordinal,
    end.totalBytes,
    mayRepeat ? 1 : 0,
    headToColumn(envelope),
    headersToColumn(headers),
    body,
  );
}

/** A message that its sender cannot change any more: bytes and headers are copied, the envelope is frozen by contract. */
function kept(message: LogMessage): LogMessage {
  if (typeof message.body === "string" && hasNone(message.headers)) return message;
  const headers = Object.create(null) as Record<string, string | Uint8Array>;
  for (const name of Object.keys(message.headers)) headers[name] = keepable(message.headers[name]!);
  return { ...message, headers, body: keepable(message.body) };
}
