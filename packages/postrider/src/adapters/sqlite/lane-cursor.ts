import { fail } from "../../base/errors.ts";
import { PositionMap } from "../../base/position-map.ts";
import type { Lane } from "../../ports/transport.ts";
import type { Connection } from "./connection.ts";
import type { Outstanding } from "../../base/outstanding.ts";
import type { Participant, Turn } from "./turn.ts";

/** What a cursor needs to know of a message that is handed over. */
export interface OpenMessage {
  readonly position: number;
  readonly bytes: number;
  readonly isHigh: boolean;
  state: "out" | "settling" | "over";
}

/** What a cursor's row says of one table of the log: everything up to `position` is finished, but for `open`. */
export interface TrackRow {
  readonly position: number;
  /** A JSON list of positions, or null. */
  readonly open: string | null;
}

/**
 * How far one lane has come in one table of the log.
 *
 * What is not finished is `open`; everything else up to `fetchedTo` is finished or not wanted. What is stored is the highest finished position and the open
 * ones below it: nothing while messages finish in order, and never more than are handed over at a time, however long one of them takes.
 */
export class Track<Message> {
  /** Read from the log up to here. */
  fetchedTo: number;
  /** By position: what is handed over or waits in memory; undefined for what an earlier owner left open and is still to be read. */
  readonly open: PositionMap<Message | undefined> = new PositionMap<Message | undefined>();
  /** Open positions that an earlier owner left, still to be read. */
  restored: number[];
  readonly isHigh: boolean;
  #settledTo: number;
  #stored: number;

  constructor(row: TrackRow, isHigh: boolean) {
    this.isHigh = isHigh;
    this.fetchedTo = row.position;
    this.#settledTo = row.position;
    this.#stored = row.position;
    this.restored = row.open === null ? [] : (JSON.parse(row.open) as number[]);
    for (const position of this.restored) this.open.set(position, undefined);
  }

  /** Everything up to here is finished or open. */
  get settledTo(): number {
    return this.open.size === 0 ? Math.max(this.#settledTo, this.fetchedTo) : this.#settledTo;
  }

  /** Everything up to here is finished. */
  get frontier(): number {
    const { oldest } = this.open;
    return oldest === undefined ? this.settledTo : Math.min(oldest - 1, this.settledTo);
  }

  /** Whether rows that nobody wanted were passed since the cursor was written. */
  get isBehind(): boolean {
    return this.open.size === 0 && this.fetchedTo > this.#stored;
  }

  finish(position: number): void {
    this.open.delete(position);
    if (position > this.#settledTo) this.#settledTo = position;
  }

  /** Takes back a finish that was not committed. */
  reopen(position: number, message: Message): void {
    this.open.set(position, message);
  }

  /** What is to be stored now. */
  row(): TrackRow {
    this.#settledTo = this.settledTo;
    this.#stored = this.#settledTo;
    let open: number[] | undefined;
    if (this.open.oldest === undefined || this.open.oldest > this.#settledTo) return { position: this.#settledTo, open: null };
    for (const position of this.open.positions()) {
      if (position > this.#settledTo) break;
      (open ??= []).push(position);
    }
    return { position: this.#settledTo, open: open === undefined ? null : JSON.stringify(open) };
  }
}

/** A lane's row in `pr_cursors`. */
export interface CursorRow {
  readonly id: number;
  readonly lane: number;
  readonly epoch: number;
  readonly owner: string | null;
  readonly leaseUntil: number;
  readonly position: number;
  readonly open: string | null;
  readonly highPosition: number;
  readonly highOpen: string | null;
}

/** What a cursor stands on. */
export interface CursorOptions {
  readonly connection: Connection;
  readonly owner: string;
  readonly outstanding: Outstanding;
  /** Called when something was settled, so that there is room for more. */
  readonly onRoom: () => void;
}

/**
 * A lane that this process owns.
 *
 * States: *starting* (the sink is told), *active* (handed over from), *revoking* (the sink winds up; what is out can still be settled), *gone* (no
 * longer ours: nothing of it is settled any more).
 */
export class LaneCursor<Message extends OpenMessage> implements Participant {
  readonly id: number;
  readonly lane: Lane;
  readonly normal: Track<Message>;
  readonly high: Track<Message>;
  state: "starting" | "active" | "revoking" | "gone" = "starting";
  isPaused = false;
  /** What was given back and waits to be handed over again, by position. */
  readonly returned: Message[] = [];
  /** The writer's version under which the lane was last seen to be ours. */
  verifiedVersion = 0;
  readonly #options: CursorOptions;
  readonly #finishing: Message[] = [];
  #isReleased = false;

  constructor(row: CursorRow, lane: Lane, options: CursorOptions) {
    this.id = row.id;
    this.lane = lane;
    this.normal = new Track<Message>({ position: row.position, open: row.open }, false);
    this.high = new Track<Message>({ position: row.highPosition, open: row.highOpen }, true);
    this.#options = options;
  }

  /** Whether messages are handed over from it now. */
  get isFlowing(): boolean {
    return this.state === "active" && !this.isPaused;
  }

  /** Settles a message with the turn. The lane must have been seen to be ours in this turn. */
  finish(turn: Turn, message: Message): void {
    if (message.state === "over") return;
    message.state = "settling";
    this.#trackOf(message).finish(message.position);
    this.#options.outstanding.remove(message.bytes);
    this.#finishing.push(message);
    turn.touch(this);
  }

  /** Keeps a given-back message, in the order of the lane. */
  takeBack(message: Message): void {
    const { returned } = this;
    let at = returned.length;
    while (at > 0 && returned[at - 1]!.position > message.position) at--;
    returned.splice(at, 0, message);
    this.#trackOf(message).open.set(message.position, message);
  }

  /** Gives the lane up with the turn. */
  release(turn: Turn): void {
    this.#isReleased = true;
    turn.touch(this);
  }

  flush(): void {
    if (this.state === "gone") return;
    const { connection, owner } = this.#options;
    const normal = this.normal.row();
    const high = this.high.row();
    const freed = this.#isReleased ? ", owner = null, lease_until = 0" : "";
    const sql = `update pr_cursors set position = ?, open = ?, high_position = ?, high_open = ?${freed} where id = ? and owner = ? and epoch = ?`;
    const changes = connection.run(sql, normal.position, normal.open, high.position, high.open, this.id, owner, this.lane.epoch);
    if (changes !== 1) throw fail("PR_LEASE_LOST", { lease: leaseName(this.lane) });
  }

  committed(): void {
    if (this.#isReleased) this.leave();
    if (this.#finishing.length === 0) return;
    for (const message of this.#finishing) message.state = "over";
    this.#finishing.length = 0;
    this.#options.onRoom();
  }

  rolledBack(): void {
    this.#isReleased = false;
    for (const message of this.#finishing) {
      message.state = "out";
      this.#trackOf(message).reopen(message.position, message);
      this.#options.outstanding.add(message.bytes);
    }
    this.#finishing.length = 0;
  }

  /** It is no longer ours: what is out of it does not count any more. */
  leave(): void {
    if (this.state === "gone") return;
    this.state = "gone";
    const inMemory = new Set(this.returned);
    for (const message of [...this.normal.open.values(), ...this.high.open.values()]) {
      if (message !== undefined && !inMemory.has(message)) this.#options.outstanding.remove(message.bytes);
    }
    this.returned.length = 0;
  }

  #trackOf(message: Message): Track<Message> {
    return message.isHigh ? this.high : this.normal;
  }
}

/** How a lane is called in errors. */
export function leaseName(lane: Lane): string {
  return `${lane.service} on ${lane.destination}, lane ${lane.number}`;
}
