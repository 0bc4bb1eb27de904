import type { MaybePromise } from "../base/deferred.ts";
import type { Outgoing } from "../envelope/envelope.ts";
import type { Page } from "./page.ts";

/** A message to be sent later. */
export interface ScheduledMessage {
  /** Unique in the service; the message's own id unless the caller gave another. */
  readonly id: string;
  readonly dueAt: number;
  readonly message: Outgoing;
  /** Set for what recurs: how to find the next time. */
  readonly recurrence?: Recurrence;
}

/** How something recurs. */
export interface Recurrence {
  /** A cron pattern, with seconds if it has six fields. */
  readonly cron: string;
  /** An IANA time zone. */
  readonly timezone: string;
}

/** Schedule inside a transaction. */
export interface ScheduleWriter {
  /** Adds it, or replaces the one of the same id. */
  put(entry: ScheduledMessage): MaybePromise<void>;
  /** Whether it was there. */
  cancel(id: string): MaybePromise<boolean>;
  /** Whether it was there. */
  reschedule(id: string, dueAt: number): MaybePromise<boolean>;
  /** Removes and returns what is due, oldest first: the caller sends it in the same transaction. */
  takeDue(limit: number): MaybePromise<readonly ScheduledMessage[]>;
  /** The one of this id, as this transaction sees it. */
  get(id: string): MaybePromise<ScheduledMessage | undefined>;
}

/** Schedule outside a transaction. */
export interface ScheduleReader {
  /** When the next one is due, in milliseconds since the epoch. */
  nextDueAt(): MaybePromise<number | undefined>;
  list(page: Page): Promise<readonly ScheduledMessage[]>;
}
