import { laneOf } from "../../base/ids.ts";
import { bodyBytes } from "../../envelope/envelope.ts";
import type { Envelope, FoundMessage, Headers, WireBody, Outgoing } from "../../envelope/envelope.ts";
import type { Destination, DestinationStatus, ReadMessage, ReadRange } from "../../ports/transport.ts";
import { Cursor } from "./cursor.ts";
import type { Group } from "./group.ts";
import { LaneSlot } from "./lane.ts";
import { Track } from "./log.ts";
import type { Entry } from "./log.ts";

const TRIM_EVERY = 128; // messages of a track between two looks at what may go

/** One destination: a log in lanes, each with a track for high priority and one for the rest, and the groups that read it. */
export class MemoryDestination {
  readonly destination: Destination;
  readonly groups: Map<string, Group> = new Map();
  readonly #high: readonly Track[];
  readonly #normal: readonly Track[];
  readonly #keepMessages: number;
  #lastPosition = 0;

  constructor(destination: Destination, keepMessages: number) {
    this.destination = destination;
    this.#keepMessages = keepMessages;
    this.#high = Array.from({ length: destination.lanes }, () => new Track());
    this.#normal = Array.from({ length: destination.lanes }, () => new Track());
  }

  /** Stores a message and wakes who owns its lane. */
  append(message: Outgoing, nowMs: number): void {
    const { envelope } = message;
    const lane = laneOf(envelope.partitionkey ?? envelope.id, this.destination.lanes);
    const tracks = envelope.priority === "high" ? this.#high : this.#normal;
    this.#store(tracks[lane]!, lane, message, message.mayRepeat, nowMs);
  }

  /** Stores a message as somebody who knows nothing of us would. */
  plant(message: FoundMessage, key: string, nowMs: number): void {
    const lane = laneOf(key, this.destination.lanes);
    this.#store(this.#normal[lane]!, lane, message, true, nowMs);
  }

  /**
   * Fresh lanes for a new group, from the first message that is kept or behind the last.
   *
   * A command has one owner: whoever takes it over goes on where the slowest reader stands, and does not run again what an earlier owner has handled.
   */
  slots(from: "earliest" | "latest"): LaneSlot[] {
    const others = this.destination.kind === "commands" ? [...this.groups.values()] : [];
    const cursor = (track: Track, theirs: readonly Cursor[]): Cursor =>
      slowest(theirs)?.copy() ?? new Cursor(track, from === "earliest" ? track.start : track.end);
    return this.#normal.map((track, lane) => {
      const slots = others.map((group) => group.slots[lane]!);
      return new LaneSlot(
        lane,
        cursor(
          this.#high[lane]!,
          slots.map(({ high }) => high),
        ),
        cursor(
          track,
          slots.map(({ normal }) => normal),
        ),
      );
    });
  }

  /** What is kept in a range, in order of position. */
  read(range: ReadRange): ReadMessage[] {
    const found: ReadMessage[] = [];
    if (range.from === "latest") return found;
    const toPosition = range.to?.position ?? this.#lastPosition;
    for (let lane = 0; lane < this.destination.lanes; lane++) {
      for (const track of [this.#high[lane]!, this.#normal[lane]!]) {
        for (const entry of track.entries()) if (entry.position <= toPosition && isFrom(range, entry)) found.push(readMessage(entry, lane));
      }
    }
    return found.sort((left, right) => left.position - right.position);
  }

  /** How it stands. */
  status(): DestinationStatus {
    const sum = (tracks: readonly Track[]): number => tracks.reduce((total, track) => total + track.end - track.start, 0);
    return {
      destination: this.destination.name,
      messages: sum(this.#high) + sum(this.#normal),
      subscriptions: [...this.groups.values()].map((group) => ({
        service: group.service,
        backlog: group.slots.reduce((total, slot) => total + slot.high.backlog + slot.normal.backlog, 0),
      })),
    };
  }

  #store(track: Track, lane: number, message: FoundMessage, mayRepeat: boolean, nowMs: number): void {
    const { envelope, headers, body } = message;
    // Bytes can be changed by who made them; the log keeps what was sent.
    const own: FoundMessage = { envelope, headers: ownHeaders(headers), body: typeof body === "string" ? body : body.slice() };
    track.push(new StoredEntry(++this.#lastPosition, own, bodyBytes(body) + headerBytes(headers), mayRepeat, nowMs));
    if (track.end % TRIM_EVERY === 0) this.#trim(track, lane);
    for (const group of this.groups.values()) group.slots[lane]!.holder?.wake();
  }

  /** Drops what every group has passed, apart from the newest that are kept for replay. */
  #trim(track: Track, lane: number): void {
    let floor = track.end;
    for (const group of this.groups.values()) {
      const slot = group.slots[lane]!;
      floor = Math.min(floor, (track === this.#high[lane] ? slot.high : slot.normal).frontier);
    }
    const oldest = this.#lastPosition - this.#keepMessages;
    let index = track.start;
    while (index < floor && track.at(index)!.position <= oldest) index++;
    track.dropBefore(index);
  }
}

/** Of a class for the reason given at {@link listOf}. */
class StoredEntry implements Entry {
  readonly position: number;
  readonly envelope: Envelope | undefined;
  readonly headers: Headers;
  readonly body: WireBody;
  readonly bytes: number;
  readonly mayRepeat: boolean;
  readonly storedAt: number;

  constructor(position: number, { envelope, headers, body }: FoundMessage, bytes: number, mayRepeat: boolean, storedAt: number) {
    this.position = position;
    this.envelope = envelope;
    this.headers = headers;
    this.body = body;
    this.bytes = bytes;
    this.mayRepeat = mayRepeat;
    this.storedAt = storedAt;
  }
}

function slowest(cursors: readonly Cursor[]): Cursor | undefined {
  return cursors.toSorted((one, other) => one.frontier - other.frontier)[0];
}

function isFrom(range: ReadRange, entry: Entry): boolean {
  const { from } = range;
  if (typeof from === "string") return from === "earliest";
  return "position" in from ? entry.position >= from.position : entry.storedAt >= Date.parse(from.time);
}

function readMessage(entry: Entry, lane: number): ReadMessage {
  const { envelope, headers, body, position, storedAt } = entry;
  return { envelope, headers, body, lane, position, storedAt: new Date(storedAt).toISOString() };
}

function ownHeaders(headers: Headers): Headers {
  let own: Record<string, string | Uint8Array> | undefined;
  for (const name in headers) {
    const value = headers[name]!;
    own ??= Object.assign(Object.create(null) as Record<string, string | Uint8Array>, headers);
    if (typeof value !== "string") own[name] = value.slice();
  }
  return own ?? headers;
}

function headerBytes(headers: Headers): number {
  let total = 0;
  for (const name in headers) total += Buffer.byteLength(name) + bodyBytes(headers[name] as WireBody);
  return total;
}
