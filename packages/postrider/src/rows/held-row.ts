import { fail } from "../base/errors.ts";
import type { ClaimedHeld, HeldMessage, HeldPurpose } from "../ports/held.ts";
import { messageNames, messageOf, messageValues, numberOrNull, optional, optionalOf } from "./columns.ts";
import type { Columns, Plain, Row } from "./columns.ts";

/** Whether a row of `pr_held` is parked and not released yet. */
export const IS_WAITING = "(purpose = 'parked' and due_at is null)";

/** The columns of {@link heldValues}. */
export function heldNames(columns: Columns<unknown>): string {
  const place = `id, purpose, due_at, destination, lane, ${columns.keyNames.join(", ")}, is_ordered`;
  return `${place}, ${messageNames(columns)}, failures, first_failed_at, dead_letter_id, redrives`;
}

/** A held message's row, without the service. */
export function heldValues<Value>(columns: Columns<Value>, entry: HeldMessage): readonly (Value | Plain)[] {
  return [
    columns.text(entry.id),
    entry.purpose,
    entry.dueAt ?? null,
    columns.text(entry.destination),
    entry.lane,
    ...columns.key(entry.key),
    columns.flag(entry.isOrdered),
    ...messageValues(columns, entry),
    entry.failures,
    entry.firstFailedAt ?? null,
    optional(columns, entry.deadLetterId),
    entry.redrives,
  ];
}

/** See {@link heldValues}. */
export function heldOf(columns: Columns<unknown>, row: Row): HeldMessage {
  return {
    id: columns.textOf(row["id"]),
    purpose: row["purpose"] as HeldPurpose,
    dueAt: numberOrNull(row["due_at"]),
    destination: columns.textOf(row["destination"]),
    lane: Number(row["lane"]),
    key: optionalOf(columns, row[columns.keyNames[0]]),
    isOrdered: Boolean(row["is_ordered"]),
    ...messageOf(columns, row),
    failures: Number(row["failures"]),
    firstFailedAt: numberOrNull(row["first_failed_at"]),
    deadLetterId: optionalOf(columns, row["dead_letter_id"]),
    redrives: Number(row["redrives"]),
  };
}

/** Rows of `purpose` and `count`. */
export function countsOf(rows: readonly Row[]): Record<HeldPurpose, number> {
  const counts = { retry: 0, parked: 0, redrive: 0 };
  for (const { purpose, count } of rows) counts[purpose as HeldPurpose] = Number(count);
  return counts;
}

/** @throws PR_LEASE_LOST when a statement under a claim's fence changed no row */
export function assertOurs({ id }: ClaimedHeld, changes: number | null): void {
  if (changes !== 1) throw fail("PR_LEASE_LOST", { lease: `the held message ${id}` });
}
