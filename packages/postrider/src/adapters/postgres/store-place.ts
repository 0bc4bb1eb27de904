import type { WireBody } from "../../envelope/envelope.ts";

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

/** A number column that may be null: `bigint` comes as text. */
export function numberOrNull(column: unknown): number | undefined {
  return column === null ? undefined : Number(column);
}
