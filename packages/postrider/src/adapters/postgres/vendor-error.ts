import { fail, isPostriderError } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import { SOCKET_CODES } from "../../base/socket-codes.ts";

// SQLSTATE, from the appendix "PostgreSQL Error Codes".
const CONFLICTS = new Set([
  "40001", // serialization_failure
  "40P01", // deadlock_detected
  "55P03", // lock_not_available: lock_timeout ran out
]);
// Bytes that are no text to the server: with a NUL among them, or not in the database's own encoding.
const UNREADABLE = new Set(["22021", "22P05"]); // character_not_in_repertoire, untranslatable_character
const FULL = "53100"; // disk_full
const TOO_MANY = "53300"; // too_many_connections: all come at once after a restart
const ABORTED = "25P02"; // in_failed_sql_transaction
const ENDED = new Set([
  "57P01", // admin_shutdown
  "57P02", // crash_shutdown
  "57P03", // cannot_connect_now: it starts, stops or recovers
  "57P05", // idle_session_timeout
  "25P03", // idle_in_transaction_session_timeout
]);
const CONNECTION_CLASS = "08";

// `pg` gives errors of its own no code: their texts are all there is (client.js, connection.js and pg-pool 3 of pg 8).
const CLIENT_TEXTS =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|Query read timeout|timeout e(xceeded|xpired)|Cannot use a pool after)/;

const POOL_EXHAUSTED = /^timeout exceeded when trying to connect/;

/** Whether the statement lost to a rival and would succeed if it ran again: a deadlock, a serialization failure, a lock that did not come in time. */
export function isConflict(error: unknown): boolean {
  return CONFLICTS.has(codeOf(error) ?? "");
}

/** Whether the connection is gone, or was never there: it must not be used again, and what was open on it is rolled back by the server. */
export function isConnectionLost(error: unknown): boolean {
  const code = codeOf(error);
  if (code !== undefined) return code.startsWith(CONNECTION_CLASS) || ENDED.has(code) || SOCKET_CODES.has(code);
  return error instanceof Error && CLIENT_TEXTS.test(error.message);
}

/** Whether an error of a store says that its server was lost, or could not be reached. Who only found all connections of the pool in use has reached nobody yet. */
export function isServerAway(error: unknown, store: string): boolean {
  if (!isPostriderError(error, "PR_STORE_FAILED") || error.details["store"] !== store) return false;
  const { cause } = error;
  if (codeOf(cause) === TOO_MANY) return true;
  return isConnectionLost(cause) && !(cause instanceof Error && POOL_EXHAUSTED.test(cause.message));
}

/** Whether a statement only came too late: one before it had failed. */
export function isAborted(error: unknown): boolean {
  return vendorCodeOf(error) === ABORTED;
}

/** Whether the server cannot give bytes as the text that they are to us. */
export function isUnreadable(error: unknown): boolean {
  return UNREADABLE.has(vendorCodeOf(error) ?? "");
}

/** Whether the server has sent it: a code of five letters alone may be anybody's. */
export function isServerError(error: unknown): boolean {
  return isSqlState(codeOf(error)) && typeof (error as { severity?: unknown }).severity === "string";
}

/** The vendor's error as one of the table, for the store. Postrider's own errors pass unchanged. */
export function wrapStoreError(error: unknown, store: string, during: string): PostriderError {
  if (isPostriderError(error)) return error;
  const detail = detailOf(error);
  if (isConflict(error)) return fail("PR_STORE_CONFLICT", { store, during, detail }, { cause: error });
  if (codeOf(error) === FULL) return fail("PR_STORE_FULL", { file: store }, { cause: error });
  return fail("PR_STORE_FAILED", { store, during, detail }, { cause: error });
}

/** The vendor's error as one of the table, for the transport. Postrider's own errors pass unchanged. */
export function wrapTransportError(error: unknown, transport: string, during: string): PostriderError {
  if (isPostriderError(error)) return error;
  return fail("PR_TRANSPORT_FAILED", { transport, during, detail: detailOf(error) }, { cause: error });
}

/** What happened, without the values of a row: those are in `detail` and `where` of the vendor's error, which stays the cause. */
function detailOf(error: unknown): string {
  const code = codeOf(error);
  // Several addresses of one name were tried, and each failed: the group itself has no text.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const message = first instanceof Error ? first.message : String(first);
  return isSqlState(code) ? `${message} (SQLSTATE ${code})` : message;
}

function isSqlState(code: string | undefined): code is string {
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !SOCKET_CODES.has(code);
}

/** Also of an error that is wrapped. */
function vendorCodeOf(error: unknown): string | undefined {
  return codeOf(isPostriderError(error) ? error.cause : error);
}

function codeOf(error: unknown): string | undefined {
  const code = typeof error === "object" && error !== null ? (error as { code?: unknown }).code : undefined;
  return typeof code === "string" ? code : undefined;
}
