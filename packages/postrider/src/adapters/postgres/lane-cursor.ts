import type { Lane } from "../../ports/transport.ts";
import type { Outstanding } from "../../base/outstanding.ts";
import { Track } from "./lane-track.ts";
import type { TrackRow } from "./lane-track.ts";

/** What a cursor needs to know of a message that is handed over. */
export interface OpenMessage {
  readonly position: number;
  readonly bytes: number;
  readonly isHigh: boolean;
  state: "out" | "settling" | "over";
}

/** A lane's row in `pr_cursors`, as it was taken, with what was finished since it was written. */
export interface CursorRow {
  readonly id: number;
  readonly normal: TrackRow;
  readonly high: TrackRow;
  readonly done: readonly number[];
}

/** What is to be written of a cursor. */
export interface CursorState {
  readonly normal: TrackRow;
  readonly high: TrackRow;
  /** What the rows say by themselves, so that `pr_done` need not any more. */
  readonly forget: readonly number[];
}

/** What a cursor stands on. */
export interface CursorOptions {
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
export class LaneCursor<Message extends OpenMessage> {
  readonly id: number;
  readonly lane: Lane;
  readonly normal: Track<Message>;
  readonly high: Track<Message>;
  state: "starting" | "active" | "revoking" | "gone" = "starting";
  isPaused = false;
  /** What was given back and waits to be handed over again, by position. */
  readonly returned: Message[] = [];
  readonly #options: CursorOptions;
  /** Rows of an earlier owner in `pr_done`. */
  #doneBefore: number[];
  /** Rows of ours in `pr_done`. */
  #done: number[] = [];

  constructor(row: CursorRow, lane: Lane, options: CursorOptions) {
    this.id = row.id;
    this.lane = lane;
    this.normal = new Track<Message>(row.normal, row.done, false);
    this.high = new Track<Message>(row.high, row.done, true);
    this.#doneBefore = [...row.done];
    this.#options = options;
  }

  /** Whether messages are handed over from it now. */
  get isFlowing(): boolean {
    return this.state === "active" && !this.isPaused;
  }

  /** Whether its row could say more than it does. */
  get isBehind(): boolean {
    return this.#done.length > 0 || this.normal.isBehind || this.high.isBehind;
  }

  /** How many rows of ours are in `pr_done`. */
  get doneCount(): number {
    return this.#done.length;
  }

  trackOf(message: { readonly isHigh: boolean }): Track<Message> {
    return message.isHigh ? this.high : this.normal;
  }

  /** A message is done for good; `isRecorded` when a row of `pr_done` says so. */
  finish(message: Message, isRecorded: boolean): void {
    if (message.state === "over") return;
    message.state = "over";
    if (this.state === "gone") return;
    this.trackOf(message).finish(message.position);
    if (isRecorded) this.#done.push(message.position);
    this.#options.outstanding.remove(message.bytes);
    this.#options.onRoom();
  }

  /** Takes back a finish that was not written. */
  reopen(message: Message): void {
    message.state = "out";
    if (this.state === "gone") return;
    this.trackOf(message).reopen(message.position, message);
    this.#options.outstanding.add(message.bytes);
  }

  /** Keeps a given-back message, in the order of the lane. */
  takeBack(message: Message): void {
    const { returned } = this;
    let at = returned.length;
    while (at > 0 && returned[at - 1]!.position > message.position) at--;
    returned.splice(at, 0, message);
    this.trackOf(message).open.set(message.position, message);
  }

  /** What is to be stored now. Its `forget` is given once: keep it until it is written. */
  takeState(): CursorState {
    const reached = Math.min(this.normal.fetchedTo, this.high.fetchedTo);
    const state = {
      normal: this.normal.row(),
      high: this.high.row(),
      forget: [...this.#done, ...this.#doneBefore.filter((position) => position <= reached)],
    };
    this.#done = [];
    this.#doneBefore = this.#doneBefore.filter((position) => position > reached);
    return state;
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
}

/** How a lane is called in errors. */
export function leaseName(lane: Lane): string {
  return `${lane.service} on ${lane.destination}, lane ${lane.number}`;
}
