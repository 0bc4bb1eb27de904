import { headersFromColumn, headersToColumn, headFromColumn, headToColumn } from "../envelope/columns.ts";
import type { Envelope, Headers, Outgoing, WireBody } from "../envelope/envelope.ts";

/** A row as a driver gives it. */
export type Row = Readonly<Record<string, unknown>>;

/** What every database's driver takes as it is. */
export type Plain = string | number | null;

/** How the columns of one database hold what rows are made of. Numbers, and words of our own, are held as they are. */
export interface Columns<Value> {
  /** The columns of an ordering key; the first has the key itself. */
  readonly keyNames: readonly [string, ...string[]];
  /** The columns of a body. */
  readonly bodyNames: readonly string[];
  text(value: string): Value;
  textOf(column: unknown): string;
  flag(value: boolean): Value | Plain;
  /** In the order of `keyNames`. */
  key(value: string | undefined): readonly (Value | Plain)[];
  /** In the order of `bodyNames`. */
  body(value: WireBody): readonly (Value | Plain)[];
  bodyOf(row: Row): WireBody;
}

/** A text that may be absent. */
export function optional<Value>(columns: Columns<Value>, value: string | null | undefined): Value | null {
  return value === null || value === undefined ? null : columns.text(value);
}

/** A text that is only looked for when it is given. */
export function given<Value>(columns: Columns<Value>, value: string | undefined): Value | undefined {
  return value === undefined ? undefined : columns.text(value);
}

/** See {@link optional}. */
export function optionalOf(columns: Columns<unknown>, column: unknown): string | undefined {
  return column === null ? undefined : columns.textOf(column);
}

/** A number column that may be null; drivers give large ones as text. */
export function numberOrNull(column: unknown): number | undefined {
  return column === null ? undefined : Number(column);
}

/** What of a message its row keeps. */
export interface RowMessage {
  readonly envelope: Envelope | undefined;
  readonly headers: Headers;
  readonly body: WireBody;
}

/** The names of {@link messageValues}. */
export function messageNames({ bodyNames }: Columns<unknown>): string {
  return ["head", "headers", ...bodyNames].join(", ");
}

/** A message as its columns. */
export function messageValues<Value>(columns: Columns<Value>, { envelope, headers, body }: RowMessage): readonly (Value | Plain)[] {
  return [optional(columns, headToColumn(envelope)), optional(columns, headersToColumn(headers)), ...columns.body(body)];
}

/** See {@link messageValues}. */
export function messageOf(columns: Columns<unknown>, row: Row): RowMessage {
  return {
    envelope: headFromColumn(optionalOf(columns, row["head"]) ?? null),
    headers: headersFromColumn(optionalOf(columns, row["headers"]) ?? null),
    body: columns.bodyOf(row),
  };
}

/** A message that is to be sent, of a row with `destination` and `may_repeat`. */
export function outgoingOf(columns: Columns<unknown>, row: Row): Outgoing {
  const { envelope, headers, body } = messageOf(columns, row);
  const destination = columns.textOf(row["destination"]);
  return { envelope: envelope!, headers, body, destination, mayRepeat: Boolean(row["may_repeat"]) };
}
