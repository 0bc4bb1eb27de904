import type { DeadLetter, DeadLetterFilter, DeadLetterGroup } from "../ports/dead-letters.ts";
import type { HeldMessage } from "../ports/held.ts";
import type { Page } from "../ports/page.ts";
import type { ScheduledMessage } from "../ports/schedule.ts";
import type { Sent } from "../pipeline/context.ts";

/** Which dead letters are meant, over all services unless one is named. */
export type LetterFilter = DeadLetterFilter & { readonly service?: string };

/** How a redrive of many goes. */
export interface RedriveOptions {
  readonly filter: LetterFilter;
  /** The most letters per second. Default 50. */
  readonly ratePerSecond?: number;
  /** Letters to redrive first; the rest follows only if each of them is handled in time. Default 1; 0 = none. */
  readonly canary?: number;
  /** The share of redriven letters with an outcome that may fail again; above it the redrive stops. Default 0.5. */
  readonly stopAtFailureRatio?: number;
  /** How long an outcome is awaited, in milliseconds. Default 30 000. */
  readonly outcomeTimeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** What a redrive of many came to. */
export interface RedriveResult {
  readonly redriven: number;
  readonly handled: number;
  readonly failedAgain: number;
  /** Redriven, with no outcome in time. */
  readonly open: number;
  readonly stopped: "done" | "canaryFailed" | "tooManyFailures" | "aborted";
}

/** What operators see and do with messages that the stores keep. Ids are unique over all services. */
export interface LetterOperations {
  deadLetters(filter?: LetterFilter, page?: Page): Promise<readonly DeadLetter[]>;
  /** Dead letters by cause, most first. */
  deadLetterGroups(filter?: LetterFilter): Promise<readonly DeadLetterGroup[]>;
  /** @throws PR_DEAD_LETTER_UNKNOWN */
  deadLetter(id: string): Promise<DeadLetter>;
  /**
   * Hands it back to its one service and handler; failures start at 0, finished effects stay. An `unsent` one is sent instead.
   *
   * A second call does nothing, for as long as the first one's outcome is known; after that the letter is unknown. @throws PR_DEAD_LETTER_UNKNOWN
   */
  redrive(id: string, options?: { readonly delayMs?: number }): Promise<void>;
  /** Redrives a copy with another body: it gets a new id and the same root id. The original is gone. @throws PR_DEAD_LETTER_UNKNOWN, PR_DEAD_LETTER_BUSY, PR_BODY_INVALID */
  edit(id: string, body: unknown): Promise<Sent>;
  /** Redrives those that are there at the call: some first, the rest at a rate, until too many fail again. */
  redriveMany(options: RedriveOptions): Promise<RedriveResult>;
  /** Deletes dead letters for good; what was parked behind them goes on. Returns how many. */
  purge(filter: LetterFilter): Promise<number>;
  held(page?: Page): Promise<readonly (HeldMessage & { readonly service: string })[]>;
  scheduled(page?: Page): Promise<readonly (ScheduledMessage & { readonly service: string })[]>;
}
