import type { Outstanding } from "../../base/outstanding.ts";
import { LogCursor } from "../../lanes/log-cursor.ts";
import type { OpenMessage } from "../../lanes/log-cursor.ts";
import type { TrackRow } from "../../lanes/track.ts";
import type { Lane } from "../../ports/transport.ts";
import { DoneTrack } from "./lane-track.ts";

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

/** A lane that this process owns. */
export class LaneCursor<Message extends OpenMessage> extends LogCursor<Message, DoneTrack<Message>> {
  readonly id: number;
  readonly #options: CursorOptions;
  /** Rows of an earlier owner in `pr_done`. */
  #doneBefore: number[];
  /** Rows of ours in `pr_done`. */
  #done: number[] = [];

  constructor(row: CursorRow, lane: Lane, options: CursorOptions) {
    const normal = new DoneTrack<Message>(row.normal, row.done, false);
    const high = new DoneTrack<Message>(row.high, row.done, true);
    super(lane, { normal, high }, options.outstanding);
    this.id = row.id;
    this.#doneBefore = [...row.done];
    this.#options = options;
  }

  /** Whether its row could say more than it does. */
  get isBehind(): boolean {
    return this.#done.length > 0 || this.normal.isBehind || this.high.isBehind;
  }

  /** How many rows of ours are in `pr_done`. */
  get doneCount(): number {
    return this.#done.length;
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
}
