import type { DeadLetter, DeadLetterFilter, DeadLetterGroup, DeadLetterList } from "../ports/dead-letters.ts";
import { Clause } from "./clause.ts";
import { given, messageNames, messageOf, messageValues, optional, optionalOf } from "./columns.ts";
import type { Columns, Plain, Row } from "./columns.ts";

/** The columns of {@link letterValues}. */
export function letterNames(columns: Columns<unknown>): string {
  const place = `id, list, contract, message_id, destination, lane, ${columns.keyNames.join(", ")}, is_ordered`;
  return `${place}, ${messageNames(columns)}, code, reason, stack, fingerprint, attempts, at, redrives`;
}

/** A dead letter's row, without the service. */
export function letterValues<Value>(columns: Columns<Value>, letter: DeadLetter): readonly (Value | Plain)[] {
  return [
    columns.text(letter.id),
    letter.list,
    columns.text(letter.contract),
    columns.text(letter.messageId),
    columns.text(letter.destination),
    letter.lane,
    ...columns.key(letter.key),
    columns.flag(letter.isOrdered),
    ...messageValues(columns, letter),
    columns.text(letter.code),
    columns.text(letter.reason),
    optional(columns, letter.stack),
    columns.text(letter.fingerprint),
    letter.attempts,
    letter.at,
    letter.redrives,
  ];
}

/** See {@link letterValues}. */
export function letterOf(columns: Columns<unknown>, service: string, row: Row): DeadLetter {
  return {
    id: columns.textOf(row["id"]),
    service,
    list: row["list"] as DeadLetterList,
    contract: columns.textOf(row["contract"]),
    messageId: columns.textOf(row["message_id"]),
    destination: columns.textOf(row["destination"]),
    lane: Number(row["lane"]),
    key: optionalOf(columns, row[columns.keyNames[0]]),
    isOrdered: Boolean(row["is_ordered"]),
    ...messageOf(columns, row),
    code: columns.textOf(row["code"]),
    reason: columns.textOf(row["reason"]),
    stack: optionalOf(columns, row["stack"]),
    fingerprint: columns.textOf(row["fingerprint"]),
    attempts: Number(row["attempts"]),
    at: Number(row["at"]),
    redrives: Number(row["redrives"]),
  };
}

/** A row of letters of one cause, with `count`, `first_at` and `last_at`. */
export function groupOf(columns: Columns<unknown>, service: string, row: Row): DeadLetterGroup {
  return {
    fingerprint: columns.textOf(row["fingerprint"]),
    service,
    contract: columns.textOf(row["contract"]),
    code: columns.textOf(row["code"]),
    reason: columns.textOf(row["reason"]),
    count: Number(row["count"]),
    firstAt: Number(row["first_at"]),
    lastAt: Number(row["last_at"]),
  };
}

/** What a filter means, but for its ids, which databases take in different ways. */
export function letterClause<Value>(columns: Columns<Value>, service: Value, filter: DeadLetterFilter): Clause<Value | Plain> {
  return new Clause<Value | Plain>("service = ?", service)
    .and("list = ?", filter.list)
    .and("contract = ?", given(columns, filter.contract))
    .and("message_id = ?", given(columns, filter.messageId))
    .and("fingerprint = ?", given(columns, filter.fingerprint))
    .and(`${columns.keyNames[0]} = ?`, given(columns, filter.key))
    .and("at < ?", filter.before);
}
