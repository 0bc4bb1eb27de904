import { isPostriderError } from "./errors.ts";
import type { ErrorCode, PostriderError } from "./errors.ts";

// Not retryable either, but what they say is of this process or its store, not of the message.
const OF_THE_PROCESS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "PR_ABORTED",
  "PR_NOT_STARTED",
  "PR_STORE_CLOSED",
  "PR_STORE_CORRUPT",
  "PR_STORE_SYNC_FAILED",
  "PR_STORE_VERSION",
]);

/** Whether an error says that the same message can never leave: sending it again is in vain, and its neighbours must not wait for it. */
export function isPermanent(error: unknown): error is PostriderError {
  return isPostriderError(error) && !error.retryable && !OF_THE_PROCESS.has(error.code);
}
