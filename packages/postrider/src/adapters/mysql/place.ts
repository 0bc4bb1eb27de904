import { laneOf } from "../../base/ids.ts";
import type { MysqlValue } from "./connection.ts";
import type { Row } from "../../rows/columns.ts";

/** What a statement gave. */
export interface MysqlResult {
  readonly rows: readonly Row[];
  /** Rows changed; 2 for one that was there before an `on duplicate key update`. */
  readonly changes: number;
  readonly insertId: number;
}

/** Runs a statement of our own, in a transaction or outside. Errors are wrapped. */
export type Run = (sql: string, ...values: readonly MysqlValue[]) => Promise<MysqlResult>;

/** Runs several statements in a transaction of their own. */
export type Transact = <Result>(work: (run: Run) => Promise<Result>) => Promise<Result>;

/** Reads what `mysql2` gives: a list of rows, or a header. */
export function resultOf([given]: readonly [unknown, unknown]): MysqlResult {
  if (Array.isArray(given)) return { rows: given as Row[], changes: given.length, insertId: 0 };
  const { affectedRows = 0, insertId = 0 } = (given ?? {}) as { readonly affectedRows?: number; readonly insertId?: number };
  return { rows: [], changes: affectedRows, insertId };
}

/** The database's time in milliseconds since the epoch, at the statement's begin. In UTC: a local time comes twice when the clocks go back. */
export const NOW_MS = "(timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) div 1000)";

/** What rows of `pr_locks` are for. There are no advisory locks that end with a transaction here, so rows are locked. */
export type LockKind = "outboxClaim" | "outboxKey" | "heldKey";

/** Their numbers in the table. */
export const LOCK_KINDS: Readonly<Record<LockKind, number>> = { outboxClaim: 0, outboxKey: 1, heldKey: 2 };

/** How many locks the keys of a service share. */
export const KEY_LOCKS = 256;

/** The lock of a key. */
export function keyLockOf(destination: string, key: string): number {
  return laneOf(`${destination}\u0000${key}`, KEY_LOCKS);
}

/** Takes locks until the commit, in one order for all, so that nobody waits in a circle. What is read by a later statement is as it was committed by those before. */
export async function lock(run: Run, service: Buffer, kind: LockKind, buckets: readonly number[]): Promise<void> {
  if (buckets.length === 0) return;
  const list = [...new Set(buckets)].sort((left, right) => left - right).join(", ");
  await run(
    `select bucket from pr_locks where service = ? and kind = ${LOCK_KINDS[kind]} and bucket in (${list}) order by bucket for update`,
    service,
  );
}
