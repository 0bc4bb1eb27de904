import { fail, isPostriderError } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";

/** Primary result codes of SQLite, from sqlite3.h. */
const BUSY = 5;
const LOCKED = 6;
const READ_ONLY = 8;
const CORRUPT = 11;
const FULL = 13;
const CANNOT_OPEN = 14;
const NOT_A_DATABASE = 26;
const IOERR_SHMSIZE = 10 | (19 << 8); // the -shm file could not grow
const PRIMARY_MASK = 0xff; // the rest of an extended code says where it happened

/** Whether `error` says that another connection has the lock that we asked for. */
export function isBusy(error: unknown): boolean {
  const code = primaryCodeOf(error);
  return code === BUSY || code === LOCKED;
}

/** Whether `error` says that a file could not be opened, or not for writing: its place may be wrong, or something may be short for a moment. */
export function saysNotOpened(error: unknown): boolean {
  const code = primaryCodeOf(error);
  return code === CANNOT_OPEN || code === READ_ONLY;
}

/** Whether `error` says that a file is none of SQLite's. */
export function saysNoDatabase(error: unknown): boolean {
  return primaryCodeOf(error) === NOT_A_DATABASE;
}

/** The vendor's error as one of the table, with the file named. Postrider's own errors pass unchanged. */
export function wrapVendorError(error: unknown, file: string, during: string): PostriderError {
  if (isPostriderError(error)) return error;
  const detail = error instanceof Error ? error.message : String(error);
  const code = primaryCodeOf(error);
  if (code === FULL || codeOf(error) === IOERR_SHMSIZE) return fail("PR_STORE_FULL", { file }, { cause: error });
  if (code === CORRUPT || code === NOT_A_DATABASE) return fail("PR_STORE_CORRUPT", { file, detail }, { cause: error });
  return fail("PR_STORE_FAILED", { store: file, during, detail }, { cause: error });
}

function primaryCodeOf(error: unknown): number | undefined {
  const code = codeOf(error);
  return code === undefined ? undefined : code & PRIMARY_MASK;
}

function codeOf(error: unknown): number | undefined {
  const code = typeof error === "object" && error !== null ? (error as { errcode?: unknown }).errcode : undefined;
  return typeof code === "number" ? code : undefined;
}
