import type { Clock } from "../../base/clock.ts";
import type { Sink, Subscription } from "../../ports/transport.ts";
import type { AckPulse } from "./ack-book.ts";
import type { Link } from "./link.ts";

/** Why a tenure ended. */
export type TenureEnd = "lost" | "refused" | "passed" | "rebalance" | "closing";

/** What a tenure needs of its consumption. */
export interface TenureHost {
  readonly link: Link;
  readonly clock: Clock;
  readonly pulse: AckPulse;
  readonly sink: Sink;
  readonly subscription: Subscription;
  /** The queue of a lane. */
  normalQueue(lane: number): string;
  /** The queue of a lane's baton; undefined where nobody owns the queue, and it is read at once. */
  highQueue(lane: number): string | undefined;
  /** Messages that the broker may send ahead, per lane. */
  readonly lanePrefetch: number;
  /** Bytes that the broker may send ahead, per lane, about. */
  readonly laneBytes: number;
  readonly revokeMs: number;
  /** Whether one lane more is within the fair share. */
  mayTake(): boolean;
  /** There is something to hand over. */
  wake(): void;
  /** So much is no longer out. */
  released(count: number, bytes: number): void;
  /** The tenure of that lane is over. */
  ended(lane: number, end: TenureEnd): void;
}
