import type { MaybePromise } from "../../base/deferred.ts";
import type { Lane } from "../../ports/transport.ts";
import type { Cursor } from "./cursor.ts";

/** A consumption, as the group that gives out lanes sees it. */
export interface LaneHolder {
  /** The lane is its own; deliveries start once this settles. */
  assigned(lane: Lane): MaybePromise<void>;
  /** The lane goes: stop and settle by the deadline. */
  revoked(lane: Lane, reason: "rebalance" | "lost" | "closing", deadlineMs: number): MaybePromise<void>;
  /** The lane has gone, with so much handed over and not settled. */
  released(outCount: number, outBytes: number): void;
  /** There may be something to hand over. */
  wake(): void;
}

/** Where a lane is between owners. */
export type LaneState = "free" | "assigning" | "owned" | "revoking";

/**
 * One lane of one group: who has it, and how far it has come.
 *
 * free → assigning (onAssigned runs) → owned → revoking (onRevoked runs, settling still counts) → free.
 * The identity of `lane` is the fence: each assignment makes a new one, and whoever holds an older one has lost it.
 */
export class LaneSlot {
  readonly number: number;
  readonly high: Cursor;
  readonly normal: Cursor;
  state: LaneState = "free";
  epoch = 0;
  lane: Lane | undefined;
  holder: LaneHolder | undefined;
  /** Who refused it lately. */
  refusedBy: LaneHolder | undefined;
  /** Settles when `onAssigned` has. */
  arriving: Promise<void> | undefined;
  /** Settles when the revocation under way is over. */
  going: Promise<void> | undefined;
  outCount = 0;
  outBytes = 0;

  constructor(number: number, high: Cursor, normal: Cursor) {
    this.number = number;
    this.high = high;
    this.normal = normal;
  }

  /** Takes the lane from its holder, at once. */
  free(): void {
    const { holder, outCount, outBytes } = this;
    this.state = "free";
    this.lane = undefined;
    this.holder = undefined;
    this.arriving = undefined;
    this.going = undefined;
    this.outCount = 0;
    this.outBytes = 0;
    this.high.rewind();
    this.normal.rewind();
    holder?.released(outCount, outBytes);
  }
}
