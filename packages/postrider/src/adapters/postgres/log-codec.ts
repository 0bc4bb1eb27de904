import { NO_HEADERS } from "../../envelope/envelope.ts";
import type { Envelope, Headers, WireBody } from "../../envelope/envelope.ts";
import type { PgQuery, PgResult } from "./connection.ts";
import type { StoredMessage } from "./log-message.ts";
import { FLAGS } from "./log-schema.ts";

/** The columns that {@link messageOf} reads, in its order. */
export const MESSAGE_COLUMNS = "position, lane, flags, bytes, stored_at, type, head, headers, body, blob";

/** A column as the server sends it: text. */
export type Column = string | null;

/** What makes a statement answer in rows of {@link Column}: nothing is parsed that nobody asked for. */
export const PLAIN_ROWS: Pick<PgQuery, "rowMode" | "types"> = { rowMode: "array", types: { getTypeParser: () => (text) => text } };

/** The rows of a statement with {@link PLAIN_ROWS}. */
export function plainRows({ rows }: PgResult): readonly (readonly Column[])[] {
  return rows as unknown as readonly (readonly Column[])[];
}

/** A row of {@link MESSAGE_COLUMNS}. */
export function messageOf(row: readonly Column[]): StoredMessage {
  const flags = Number(row[2]);
  return {
    position: Number(row[0]),
    lane: Number(row[1]),
    isHigh: (flags & FLAGS.high) !== 0,
    bytes: Number(row[3]),
    storedAt: Number(row[4]),
    type: row[5]!,
    mayRepeat: (flags & FLAGS.mayRepeat) !== 0,
    envelope: envelopeOf(row[6]!),
    headers: headersOf(row[7]!),
    body: bodyOf(flags, row[8]!, row[9]!),
  };
}

/** An envelope as it is stored. */
export function envelopeText(envelope: Envelope): string {
  return JSON.stringify(envelope);
}

/** See {@link envelopeText}. */
export function envelopeOf(column: Column): Envelope | undefined {
  return column === null ? undefined : (JSON.parse(column) as Envelope);
}

/**
 * Headers as they are stored: a JSON list of [name, text] and [name, { b: base64 }]; empty for none.
 *
 * A list and no object, so that no name (`__proto__`) means anything.
 */
export function headersText(headers: Headers): string {
  if (headers === NO_HEADERS) return "";
  const names = Object.keys(headers);
  return names.length === 0 ? "" : JSON.stringify(names.map((name) => [name, headerValue(headers[name]!)]));
}

/** See {@link headersText}. */
export function headersOf(column: Column): Headers {
  if (column === null) return NO_HEADERS;
  const headers = Object.create(null) as Record<string, string | Uint8Array>;
  for (const [name, value] of JSON.parse(column) as [string, string | { readonly b: string }][]) {
    headers[name] = typeof value === "string" ? value : new Uint8Array(Buffer.from(value.b, "base64"));
  }
  return headers;
}

/** A stored body: text where it was sent as text. `blob` is hexadecimal, as the server writes it. */
export function bodyOf(flags: number, body: Column, blob: Column): WireBody {
  if (body !== null) return body;
  const bytes = Buffer.from(blob!.slice(2), "hex"); // behind `\x`
  return (flags & FLAGS.nulText) !== 0 ? bytes.toString("utf8") : new Uint8Array(bytes);
}

function headerValue(value: string | Uint8Array): string | { readonly b: string } {
  return typeof value === "string" ? value : { b: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64") };
}
