import type { ScheduledMessage } from "../ports/schedule.ts";
import { messageNames, messageValues, optional, optionalOf, outgoingOf } from "./columns.ts";
import type { Columns, Plain, Row } from "./columns.ts";

/** The columns of {@link scheduledValues}. */
export function scheduledNames(columns: Columns<unknown>): string {
  return `id, due_at, cron, timezone, destination, may_repeat, ${messageNames(columns)}`;
}

/** A scheduled message's row, without the service. */
export function scheduledValues<Value>(
  columns: Columns<Value>,
  { id, dueAt, message, recurrence }: ScheduledMessage,
): readonly (Value | Plain)[] {
  const when = [dueAt, optional(columns, recurrence?.cron), optional(columns, recurrence?.timezone)];
  return [
    columns.text(id),
    ...when,
    columns.text(message.destination),
    columns.flag(message.mayRepeat),
    ...messageValues(columns, message),
  ];
}

/** See {@link scheduledValues}. */
export function scheduledOf(columns: Columns<unknown>, row: Row): ScheduledMessage {
  const entry = { id: columns.textOf(row["id"]), dueAt: Number(row["due_at"]), message: outgoingOf(columns, row) };
  const [cron, timezone] = [optionalOf(columns, row["cron"]), optionalOf(columns, row["timezone"])];
  return cron === undefined || timezone === undefined ? entry : { ...entry, recurrence: { cron, timezone } };
}
