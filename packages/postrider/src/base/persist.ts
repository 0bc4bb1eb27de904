import { backoffMs } from "./backoff.ts";
import type { BackoffOptions } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { isPostriderError } from "./errors.ts";
import type { Random } from "./random.ts";

/** How something is tried again and again. */
export interface PersistOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Ends the trying: a wait under way rejects with its reason. */
  readonly signal: AbortSignal;
  /** When to give up, on the monotonic clock. Default never. */
  readonly untilMs?: number;
  /** Hears of each failure that is followed by another try. */
  readonly onFailure?: (error: Error) => void;
}

const WAIT: BackoffOptions = { firstMs: 100, factor: 2, maxMs: 2_000 };

/** Does something until it does not fail for want of an answer. Other failures are passed on at once, and the last one when the time is over. */
export async function persist<Result>(work: () => Promise<Result>, options: PersistOptions): Promise<Result> {
  const { clock, random, signal, untilMs = Infinity, onFailure } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const isOver = signal.aborted || clock.monotonicMs() >= untilMs;
      if (isOver || !isPostriderError(error) || !error.retryable) throw error;
      onFailure?.(error);
    }
    await clock.sleep(backoffMs(WAIT, attempt, random), signal);
  }
}
