import type { Clock } from "../base/clock.ts";
import type { MaybePromise } from "../base/deferred.ts";
import type { PostriderError } from "../base/errors.ts";
import { isPermanent } from "../base/permanent.ts";
import { WakeLoop } from "../base/wake-loop.ts";
import type { Logger } from "../ports/logger.ts";
import type { DeadLetter } from "../ports/dead-letters.ts";
import type { ScheduledMessage } from "../ports/schedule.ts";
import type { Store, StoreTransaction } from "../ports/store.ts";
import type { Outgoing } from "../envelope/envelope.ts";
import { takeSlot } from "./recurrence.ts";
import type { DueSlot } from "./recurrence.ts";

/** What a scheduler stands on. */
export interface SchedulerOptions {
  readonly store: Store;
  /** Writes messages that leave with the commit: into the outbox, or into the log where that is the same database. */
  readonly enlist: (transaction: StoreTransaction, batch: readonly Outgoing[]) => MaybePromise<void>;
  /** Makes the letter of a message that can never leave. */
  readonly letterOf: (neverSent: NeverSentEntry) => DeadLetter;
  /** Called after the commit that gave a message up. */
  readonly onBuried?: (letter: DeadLetter) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The longest wait between two looks, for what other processes schedule, in milliseconds. Default 1000. */
  readonly pollMs?: number;
}

/** A scheduled message that can never be sent, and why. */
export interface NeverSentEntry {
  readonly message: Outgoing;
  readonly failure: { readonly code: string; readonly reason: string; readonly stack: string | undefined };
  readonly attempts: number;
  readonly at: number;
}

/** Sends a service's scheduled messages when they are due. */
export interface Scheduler {
  start(): void;
  /** Something was scheduled, or moved: looks at once, unless all of it is due no sooner than the next look. `dueAt` in milliseconds since the epoch. */
  wake(dueAt?: number): void;
  /** Lets the running transaction end, then settles. May be called twice. */
  stop(): Promise<void>;
}

const DUE_PER_TRANSACTION = 100;
const SHORTEST_WAIT_MS = 1; // timers may ring a little early; what is not due then is looked for again

/**
 * Moves scheduled messages out when they are due by the store's time, never before.
 *
 * Delivery: effectively once by slot: taking, sending and putting the next slot are one transaction, so any number of schedulers may run.
 * Order: by due time within a transaction. Recurrences: see `takeSlot`; of missed slots only the latest is sent.
 * A message that can never leave becomes an `unsent` dead letter; what recurs goes on with its next slot.
 * Stops: after the running transaction.
 */
export function scheduler(options: SchedulerOptions): Scheduler {
  return new StoreScheduler(options);
}

class StoreScheduler implements Scheduler {
  readonly #options: SchedulerOptions;
  readonly #pollMs: number;
  readonly #loop: WakeLoop;
  #isFailing = false;
  /** When the next look is due by the store's time; it never is before that is known. */
  #nextLookAt = Number.POSITIVE_INFINITY;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#pollMs = options.pollMs ?? 1000;
    this.#loop = new WakeLoop({ clock: options.clock, round: () => this.#round() });
  }

  start(): void {
    this.#loop.start();
  }

  wake(dueAt: number = Number.NEGATIVE_INFINITY): void {
    if (dueAt < this.#nextLookAt) this.#loop.wake();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** Never rejects. */
  async #round(): Promise<number> {
    const { logger, store } = this.#options;
    this.#nextLookAt = Number.POSITIVE_INFINITY;
    try {
      const waitMs = await this.#moveDue();
      if (this.#isFailing) logger.info({ service: store.service }, "scheduled messages leave again");
      this.#isFailing = false;
      return waitMs;
    } catch (error) {
      if (!this.#isFailing)
        logger.warn({ err: error, service: store.service }, "scheduled messages could not be moved out; it is tried again");
      this.#isFailing = true;
      return this.#pollMs;
    }
  }

  /** Moves out all that is due. Returns how long to wait, in milliseconds. */
  async #moveDue(): Promise<number> {
    const { store } = this.#options;
    for (;;) {
      const dueAt = await store.schedule.nextDueAt();
      if (dueAt === undefined || this.#loop.isStopped) return this.#pollMs;
      const nowMs = await store.now();
      if (dueAt > nowMs) {
        const waitMs = Math.max(SHORTEST_WAIT_MS, Math.min(this.#pollMs, dueAt - nowMs));
        this.#nextLookAt = nowMs + waitMs;
        return waitMs;
      }
      await this.#moveBatch(nowMs);
    }
  }

  async #moveBatch(nowMs: number): Promise<void> {
    try {
      await this.#move(nowMs, DUE_PER_TRANSACTION);
    } catch (error) {
      if (!isPermanent(error)) throw error;
      await this.#moveOneByOne(nowMs);
    }
  }

  /** One of a batch can never leave: the others go without it, and it goes to the dead letters. */
  async #moveOneByOne(nowMs: number): Promise<void> {
    for (let moved = 0; moved < DUE_PER_TRANSACTION; moved++) {
      const tried: ScheduledMessage[] = [];
      try {
        if ((await this.#move(nowMs, 1, (entry) => tried.push(entry))) === 0) return;
      } catch (error) {
        const [entry] = tried;
        if (entry === undefined || !isPermanent(error)) throw error;
        await this.#bury(entry, error, nowMs);
      }
    }
  }

  #move(nowMs: number, limit: number, onTaken?: (entry: ScheduledMessage) => void): Promise<number> {
    const { store, enlist } = this.#options;
    return store.transaction(async (transaction) => {
      const due = await transaction.schedule.takeDue(limit);
      for (const entry of due) onTaken?.(entry);
      const slots = due.map((entry) => takeSlot(store.service, entry, nowMs));
      for (const { next } of slots) if (next !== undefined) await transaction.schedule.put(next);
      if (slots.length > 0)
        await enlist(
          transaction,
          slots.map(({ message }) => message),
        );
      return due.length;
    });
  }

  async #bury(entry: ScheduledMessage, error: PostriderError, nowMs: number): Promise<void> {
    const { store, letterOf, onBuried, logger } = this.#options;
    const { message, next } = slotOf(store.service, entry, nowMs);
    const letter = letterOf({ message, failure: { code: error.code, reason: error.message, stack: error.stack }, attempts: 1, at: nowMs });
    const isBuried = await store.transaction(async (transaction) => {
      const current = await transaction.schedule.get(entry.id);
      if (current === undefined || current.dueAt !== entry.dueAt) return false; // somebody else was faster, or it was moved
      await transaction.schedule.cancel(entry.id);
      if (next !== undefined) await transaction.schedule.put(next);
      await transaction.deadLetters.add(letter);
      return true;
    });
    if (!isBuried) return;
    logger.error(
      { err: error, service: store.service, contract: letter.contract, messageId: letter.messageId, deadLetterId: letter.id },
      "a scheduled message can never be sent; it is a dead letter now",
    );
    onBuried?.(letter);
  }
}

/** An entry whose recurrence can no longer be read goes alone, and ends. */
function slotOf(service: string, entry: ScheduledMessage, nowMs: number): DueSlot {
  try {
    return takeSlot(service, entry, nowMs);
  } catch {
    return { message: entry.message, next: undefined };
  }
}
