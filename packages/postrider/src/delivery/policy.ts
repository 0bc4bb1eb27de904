import { backoffMs } from "../base/backoff.ts";
import { isPostriderError, reasonOf } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import type { RetryPolicy } from "../pipeline/service.ts";

/** The retry policy of who says nothing. */
export const DEFAULT_RETRY: RetryPolicy = {
  immediate: 1,
  delayed: 4,
  backoff: { firstMs: 1000, factor: 2, maxMs: 60_000, jitter: 0.2 },
  byCode: {},
};

/** A failed run, in the terms that policies speak. */
export interface Failure {
  /** The thrown error's `code`, or its name. */
  readonly code: string;
  readonly reason: string;
  readonly stack: string | undefined;
  readonly error: unknown;
}

/** What to do after a failed run. */
export type Decision = { readonly do: "retryNow" } | { readonly do: "retryLater"; readonly delayMs: number } | { readonly do: "giveUp" };

/** Decides what follows a failed run: pure but for the jitter. `failures` counts this one. */
export function decide(policy: RetryPolicy, failure: Failure, failures: number, random: Random): Decision {
  const rule = policy.byCode[failure.code];
  if (rule === "never" || isFinal(failure.error)) return { do: "giveUp" };
  if (failures <= policy.immediate) return { do: "retryNow" };
  const round = failures - policy.immediate;
  if (round > policy.delayed && rule !== "always") return { do: "giveUp" };
  return { do: "retryLater", delayMs: backoffMs(policy.backoff, round, random) };
}

/** What was thrown, as a failure. Whatever it is: nothing that a handler throws can hurt the loop. */
export function failureOf(thrown: unknown): Failure {
  return { code: codeOf(thrown), reason: reasonOf(thrown).slice(0, MAX_REASON), stack: stackOf(thrown), error: thrown };
}

const MAX_REASON = 2000; // characters: enough to recognise it, too little to fill a store
const MAX_STACK = 8000;

// These cannot come out differently the next time: the message or the program must change first.
const FINAL_CODES = new Set<string>([
  "PR_BODY_INVALID",
  "PR_BODY_TOO_LARGE",
  "PR_BODY_UNREADABLE",
  "PR_ENVELOPE_UNREADABLE",
  "PR_VERSION_UNKNOWN",
  "PR_ID_CONFLICT",
  "PR_REPLY_UNEXPECTED",
  "PR_REPLY_MISSING",
  "PR_CONTRACT_UNKNOWN",
  "PR_OWNER_MISSING",
  "PR_STORE_NEEDED",
  "PR_TRANSACTION_OPEN",
]);

function isFinal(error: unknown): boolean {
  return isPostriderError(error) && FINAL_CODES.has(error.code);
}

function codeOf(thrown: unknown): string {
  try {
    const { code, name } = thrown as { code?: unknown; name?: unknown };
    if (typeof code === "string" && code !== "") return code.slice(0, 100);
    return typeof name === "string" && name !== "" ? name.slice(0, 100) : "Error";
  } catch {
    return "Error";
  }
}

function stackOf(thrown: unknown): string | undefined {
  try {
    const { stack } = thrown as { stack?: unknown };
    return typeof stack === "string" ? stack.slice(0, MAX_STACK) : undefined;
  } catch {
    return undefined;
  }
}
