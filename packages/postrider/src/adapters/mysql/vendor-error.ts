import { fail, isPostriderError } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import { SOCKET_CODES } from "../../base/socket-codes.ts";

// Numbers of the server's errors, from mysqld_error.h; the same in MariaDB.
const CONFLICTS = new Set([
  1213, // ER_LOCK_DEADLOCK
  1205, // ER_LOCK_WAIT_TIMEOUT
  1020, // ER_CHECKREAD: MariaDB's snapshot isolation
]);
const FULL = new Set([1021, 1114]); // ER_DISK_FULL, ER_RECORD_FILE_FULL
const AWAY = new Set([
  1040, // ER_CON_COUNT_ERROR: all come at once after a restart
  1053, // ER_SERVER_SHUTDOWN
  1152, // ER_ABORTING_CONNECTION
  1184, // ER_NEW_ABORTING_CONNECTION
  1927, // ER_CONNECTION_KILLED, of MariaDB
]);
const LOST = "PROTOCOL_CONNECTION_LOST"; // of the client
const CLOSED_TEXT = /in closed state$/; // `mysql2` gives it no code

/** Whether the transaction lost to a rival and would succeed if it ran again. After a deadlock the server has rolled all of it back. */
export function isConflict(error: unknown): boolean {
  return CONFLICTS.has(numberOf(error) ?? 0);
}

/** Whether an error of a store says that its server was lost, or could not be reached. */
export function isServerAway(error: unknown, store: string): boolean {
  if (!isPostriderError(error, "PR_STORE_FAILED") || error.details["store"] !== store) return false;
  const { cause } = error;
  if (!(cause instanceof Error)) return false;
  const { code } = cause as { readonly code?: unknown };
  const isLost = typeof code === "string" && (code === LOST || SOCKET_CODES.has(code));
  return isLost || AWAY.has(numberOf(cause) ?? 0) || CLOSED_TEXT.test(cause.message);
}

/** Whether the server has sent it: a code alone may be anybody's. */
export function isServerError(error: unknown): boolean {
  return numberOf(error) !== undefined && typeof (error as { sqlState?: unknown }).sqlState === "string";
}

/** The vendor's error as one of the table. Postrider's own errors pass unchanged. */
export function wrapStoreError(error: unknown, store: string, during: string): PostriderError {
  if (isPostriderError(error)) return error;
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const detail = first instanceof Error ? first.message : String(first);
  if (isConflict(error)) return fail("PR_STORE_CONFLICT", { store, during, detail }, { cause: error });
  if (FULL.has(numberOf(error) ?? 0)) return fail("PR_STORE_FULL", { file: store }, { cause: error });
  return fail("PR_STORE_FAILED", { store, during, detail }, { cause: error });
}

function numberOf(error: unknown): number | undefined {
  const number = typeof error === "object" && error !== null ? (error as { errno?: unknown }).errno : undefined;
  return typeof number === "number" && number > 0 ? number : undefined; // negative ones are the operating system's
}
