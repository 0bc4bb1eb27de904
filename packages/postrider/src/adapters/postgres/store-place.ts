import type { WireBody } from "../../envelope/envelope.ts";
import type { Columns } from "../../rows/columns.ts";
import { fromText, toText } from "./column-text.ts";

/** Where one service's rows live. */
export interface StorePlace {
  readonly service: string;
  /** The schema, quoted. */
  readonly schema: string;
}

/** A body as two columns: its bytes, and whether it was text. */
export function bodyColumns(body: WireBody): readonly [Buffer, boolean] {
  return typeof body === "string" ? [Buffer.from(body, "utf8"), true] : [Buffer.from(body.buffer, body.byteOffset, body.byteLength), false];
}

/** See {@link bodyColumns}. */
export function bodyOf(bytes: unknown, isText: unknown): WireBody {
  const buffer = bytes as Buffer;
  if (isText === true) return buffer.toString("utf8");
  // A copy: the driver's buffer may be a view of everything that came with it.
  return new Uint8Array(buffer);
}

/** How PostgreSQL holds rows. */
export const COLUMNS: Columns<unknown> = {
  keyNames: ["key"],
  bodyNames: ["body", "is_text"],
  text: toText,
  textOf: fromText,
  flag: (value) => value,
  key: (key) => [key === undefined ? null : toText(key)],
  body: bodyColumns,
  bodyOf: (row) => bodyOf(row["body"], row["is_text"]),
};
