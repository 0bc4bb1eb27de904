import type { Random } from "./random.ts";

/** How waits between attempts grow. */
export interface BackoffOptions {
  /** The first wait, in milliseconds. */
  readonly firstMs: number;
  /** What the wait is multiplied with each time. Default 2. */
  readonly factor?: number;
  /** The longest wait before jitter, in milliseconds. */
  readonly maxMs: number;
  /** How much of the wait may be added by chance: 0.2 adds up to a fifth. Default 0.2. Never shortens. */
  readonly jitter?: number;
}

/** The wait before attempt `attempt` (1 = the first retry), in milliseconds, with additive jitter. */
export function backoffMs(options: BackoffOptions, attempt: number, random: Random): number {
  const plain = Math.min(options.maxMs, options.firstMs * (options.factor ?? 2) ** Math.max(0, attempt - 1));
  return Math.round(plain * (1 + (options.jitter ?? 0.2) * random.next()));
}
