import { createHash } from "node:crypto";
import { headersFromColumn, headersToColumn, headFromColumn, headToColumn } from "../../envelope/columns.ts";
import type { Envelope, Headers, WireBody } from "../../envelope/envelope.ts";

/** A row as it comes. */
export type Row = Readonly<Record<string, unknown>>;

// Texts are kept as their bytes: so that no collation makes two of them one, and no trailing space is lost.
// Stands before a text that has no UTF-8: of the private use area, and no text of ours begins with it.
const ESCAPE = "\uf8ff";

/** A text as a column of bytes. */
export function toBytes(value: string): Buffer {
  const isPlain = !value.startsWith(ESCAPE) && value.isWellFormed();
  return Buffer.from(isPlain ? value : ESCAPE + JSON.stringify(value), "utf8");
}

/** See {@link toBytes}. */
export function fromBytes(column: unknown): string {
  const value = (column as Buffer).toString("utf8");
  return value.startsWith(ESCAPE) ? (JSON.parse(value.slice(ESCAPE.length)) as string) : value;
}

/** See {@link toBytes}; for what may be absent. */
export function toBytesOrNull(value: string | undefined): Buffer | null {
  return value === undefined ? null : toBytes(value);
}

/** See {@link fromBytes}; for what may be absent. */
export function fromBytesOrNull(column: unknown): string | undefined {
  return column === null ? undefined : fromBytes(column);
}

/** What an ordering key is found by: it may itself be longer than an index takes. */
export function digestOf(key: string | undefined): Buffer | null {
  return key === undefined ? null : createHash("sha256").update(toBytes(key)).digest().subarray(0, 16);
}

/** A whole number as SQL, where a placeholder cannot stand. */
export function int(value: number): string {
  return String(Math.trunc(value));
}

/** A number column that may be null. */
export function numberOrNull(column: unknown): number | undefined {
  return column === null ? undefined : Number(column);
}

/** The columns `head, headers, body, is_text` of a message. */
export function messageColumns(
  envelope: Envelope | undefined,
  headers: Headers,
  body: WireBody,
): [Buffer | null, Buffer | null, Buffer, number] {
  const head = headToColumn(envelope);
  const others = headersToColumn(headers);
  const bytes = typeof body === "string" ? Buffer.from(body, "utf8") : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return [head === null ? null : Buffer.from(head), others === null ? null : Buffer.from(others), bytes, Number(typeof body === "string")];
}

/** See {@link messageColumns}. */
export function messageOf(row: Row): { readonly envelope: Envelope | undefined; readonly headers: Headers; readonly body: WireBody } {
  const text = (column: unknown): string | null => (column === null ? null : (column as Buffer).toString("utf8"));
  const body = row["body"] as Buffer;
  return {
    envelope: headFromColumn(text(row["head"])),
    headers: headersFromColumn(text(row["headers"])),
    // A copy: the driver's buffer may be a view of everything that came with it.
    body: row["is_text"] === 1 ? body.toString("utf8") : new Uint8Array(body),
  };
}
