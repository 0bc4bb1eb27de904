import { createHash } from "node:crypto";
import { escapedText, unescapedText } from "../../rows/escaped-text.ts";
import type { Columns } from "../../rows/columns.ts";

// Texts are kept as their bytes: so that no collation makes two of them one, and no trailing space is lost.

/** A text as a column of bytes. */
export function toBytes(value: string): Buffer {
  return Buffer.from(escapedText(value), "utf8");
}

/** See {@link toBytes}. */
export function fromBytes(column: unknown): string {
  return unescapedText((column as Buffer).toString("utf8"));
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

/** How MySQL and MariaDB hold rows: a key may be longer than an index takes, so it is found by its digest. */
export const COLUMNS: Columns<Buffer> = {
  keyNames: ["message_key", "key_digest"],
  bodyNames: ["body", "is_text"],
  text: toBytes,
  textOf: fromBytes,
  flag: Number,
  key: (key) => [toBytesOrNull(key), digestOf(key)],
  body: (body) =>
    typeof body === "string" ? [Buffer.from(body, "utf8"), 1] : [Buffer.from(body.buffer, body.byteOffset, body.byteLength), 0],
  bodyOf: (row) => {
    const body = row["body"] as Buffer;
    // A copy: the driver's buffer may be a view of everything that came with it.
    return row["is_text"] === 1 ? body.toString("utf8") : new Uint8Array(body);
  },
};
