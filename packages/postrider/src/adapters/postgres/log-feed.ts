import type { Clock } from "../../base/clock.ts";
import type { PostriderError } from "../../base/errors.ts";
import { WakeLoop } from "../../base/wake-loop.ts";
import { bodyBytes, NO_HEADERS } from "../../envelope/envelope.ts";
import { headersOf, headersText, plainRows } from "./log-codec.ts";
import type { WrittenMessage } from "./log-batch.ts";
import type { KnownDestination } from "./log-destinations.ts";
import { Gap, readableCount } from "./log-gap.ts";
import { lastPosition } from "./log-topology.ts";
import type { StoredMessage } from "./log-message.ts";
import { positionsQuery, readPage } from "./log-pages.ts";
import type { LogPlace } from "./log-place.ts";
import { Tail } from "./log-tail.ts";
import { wrapTransportError } from "./vendor-error.ts";

/** Who wants to know of new messages. */
export interface LogReader {
  wake(): void;
  /** Up to where it has read, of one priority. */
  readTo(isHigh: boolean): number;
  /** The log cannot be read at the moment. */
  failed(error: PostriderError): void;
}

const MAX_ROWS = 512;
const MAX_BYTES = 4 * 1024 * 1024;
const MAX_POSITIONS = 5000;

// What is missing is mostly about to be committed.
const GAP_MIN_MS = 1;
const GAP_MAX_MS = 50;
const FAILED_MS = 250;
const IDLE_MS = 60_000; // looking again without a reason is the pulse's work: for all logs in one statement

/**
 * Reads the newest messages of one destination for all subscriptions of this process, and knows up to where the log is complete.
 *
 * It never passes a position that may still come (see {@link Gap}), so neither does any cursor.
 */
export class LogFeed {
  readonly destination: KnownDestination;
  readonly normal: Tail = new Tail();
  readonly high: Tail = new Tail();
  readonly #place: LogPlace;
  readonly #readers = new Set<LogReader>();
  readonly #loop: WakeLoop;
  #end: number | undefined;
  #gap: Gap | undefined;
  #gapMs = GAP_MIN_MS;
  #hasFailed = false;

  constructor(place: LogPlace, destination: KnownDestination, clock: Clock) {
    this.#place = place;
    this.destination = destination;
    this.#loop = new WakeLoop({ clock, round: () => this.#round() });
  }

  /** Everything up to here is there or never comes. 0 until that is known. */
  get end(): number {
    return this.#end ?? 0;
  }

  addReader(reader: LogReader): void {
    this.#readers.add(reader);
    this.#loop.start();
  }

  removeReader(reader: LogReader): void {
    this.#readers.delete(reader);
  }

  /** There may be more. */
  wake(): void {
    this.#loop.wake();
  }

  /** These were committed here: if they are the next ones, nobody need read them back; else there is something to read. */
  accept(written: readonly WrittenMessage[], nowMs: number): void {
    const end = this.#end;
    const isNext =
      end !== undefined && this.#isFollowed && written.length > 0 && written.every(({ position }, at) => position === end + 1 + at);
    if (!isNext) return this.wake();
    this.#take(
      written.map((one) => keptMessage(one, nowMs)),
      written.at(-1)!.position,
    );
    this.#wakeReaders();
  }

  /** The last position that is there is this one; wakes if it is not known yet. */
  seen(position: number): void {
    if (position > this.end) this.wake();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** A reader has read on: what all have read is forgotten. */
  passed(): void {
    for (const isHigh of [false, true]) {
      let least = Infinity;
      for (const reader of this.#readers) least = Math.min(least, reader.readTo(isHigh));
      (isHigh ? this.high : this.normal).dropTo(least);
    }
  }

  async #round(): Promise<number> {
    if (this.#readers.size === 0) return IDLE_MS;
    try {
      const before = this.#end;
      if (this.#end === undefined) await this.#begin();
      else await this.#readOn(this.#end);
      this.#hasFailed = false;
      if (this.#end !== before) {
        this.#gapMs = GAP_MIN_MS;
        this.#wakeReaders();
      }
      if (this.#gap === undefined) return IDLE_MS;
      return (this.#gapMs = Math.min(GAP_MAX_MS, this.#gapMs * 2));
    } catch (error) {
      this.#report(wrapTransportError(error, "postgres", "a read"));
      return FAILED_MS;
    }
  }

  /** Begins behind what was given out when we looked, once all of that is decided. */
  async #begin(): Promise<void> {
    this.#gap ??= new Gap(await lastGivenOut(this.#place, this.destination.id));
    this.#gap.observe(await appendHolders(this.#place, this.destination.id));
    if (!this.#gap.isClosed) return;
    this.#end = this.#gap.upTo;
    this.#gap = undefined;
    this.#restart(this.#end);
    this.wake();
  }

  async #readOn(end: number): Promise<void> {
    this.#gap?.observe(await appendHolders(this.#place, this.destination.id));
    const isFollowed = this.#isFollowed;
    const rows = isFollowed ? await this.#readMessages(end) : await this.#readPositions(end);
    if (this.#end !== end) return this.wake(); // what was committed here meanwhile is in the tail already
    const positions = rows.map(({ position }) => position);
    const count = readableCount(positions, end, this.#gap);
    if (count > 0) this.#take(isFollowed ? (rows.slice(0, count) as StoredMessage[]) : undefined, positions[count - 1]!);
    const isShort = count < rows.length;
    if (!isShort) this.#gap = undefined;
    else if (this.#gap === undefined || this.#gap.isClosed || this.end >= this.#gap.upTo) this.#gap = new Gap(positions.at(-1)!);
    if (!isShort && isFull(rows)) this.wake();
  }

  /** Whether somebody reads at the end, and not far behind it. */
  get #isFollowed(): boolean {
    for (const reader of this.#readers) if (this.normal.isWithin(reader.readTo(false))) return true;
    return false;
  }

  #wakeReaders(): void {
    for (const reader of this.#readers) reader.wake();
  }

  #take(messages: readonly StoredMessage[] | undefined, end: number): void {
    this.#end = end;
    if (messages === undefined) return this.#restart(end);
    this.normal.extend(
      messages.filter(({ isHigh }) => !isHigh),
      end,
    );
    this.high.extend(
      messages.filter(({ isHigh }) => isHigh),
      end,
    );
  }

  #restart(end: number): void {
    this.normal.restart(end);
    this.high.restart(end);
  }

  #readMessages(end: number): Promise<StoredMessage[]> {
    return readPage(this.#place, { destination: this.destination.id, after: end, maxRows: MAX_ROWS, maxBytes: MAX_BYTES });
  }

  async #readPositions(end: number): Promise<{ readonly position: number }[]> {
    const query = positionsQuery(this.#place, { destination: this.destination.id, after: end, maxRows: MAX_POSITIONS });
    return plainRows(await this.#place.connections.query(query)).map(([position]) => ({ position: Number(position) }));
  }

  #report(error: PostriderError): void {
    if (this.#hasFailed) return; // once per outage
    this.#hasFailed = true;
    for (const reader of this.#readers) reader.failed(error);
  }
}

/** A message that its sender cannot change any more: bytes and headers are copied, the envelope is frozen by contract. */
function keptMessage({ message, lane, position }: WrittenMessage, nowMs: number): StoredMessage {
  const { envelope, mayRepeat } = message;
  const headers = Object.keys(message.headers).length === 0 ? NO_HEADERS : headersOf(headersText(message.headers));
  const body = typeof message.body === "string" ? message.body : new Uint8Array(message.body);
  const isHigh = envelope.priority === "high";
  return { position, lane, isHigh, type: envelope.type, bytes: bodyBytes(body), storedAt: nowMs, mayRepeat, envelope, headers, body };
}

/** Whether a limit may have cut a page off. */
function isFull(rows: readonly (Pick<StoredMessage, "position"> & Partial<StoredMessage>)[]): boolean {
  return rows.length >= MAX_ROWS || rows.reduce((sum, { bytes = 0 }) => sum + bytes, 0) >= MAX_BYTES;
}

/** The last position that a destination's sequence gave out. */
export async function lastGivenOut({ schema, connections }: LogPlace, destination: number): Promise<number> {
  const { rows } = await connections.query({ text: `select ${lastPosition(schema, destination)} as last` });
  return Number(rows[0]!["last"]);
}

/** Which transactions may still commit positions of a destination. */
export async function appendHolders(place: LogPlace, destination: number): Promise<string[]> {
  const text = `select distinct virtualtransaction as holder from pg_locks where locktype = 'advisory' and granted and objsubid = 2
    and database = (select oid from pg_database where datname = current_database())
    and classid = (${place.lockClass("append")}::bigint & 4294967295)::oid and objid = $1::integer::oid`;
  const { rows } = await place.run("holders", text, [destination]);
  return rows.map((row) => row["holder"] as string);
}
