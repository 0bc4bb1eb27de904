import { NO_HEADERS } from "./envelope.ts";
import type { Envelope, Headers, WireBody } from "./envelope.ts";

/**
 * Headers as one column: a JSON list of [name, text] and [name, { b: base64 }]; null for none.
 *
 * A list and no object, so that no name (`__proto__`) means anything.
 */
export function headersToColumn(headers: Headers): string | null {
  if (hasNone(headers)) return null;
  return JSON.stringify(Object.keys(headers).map((name) => [name, headerValue(headers[name]!)]));
}

/** Whether there is no header. */
export function hasNone(headers: Headers): boolean {
  if (headers === NO_HEADERS) return true;
  for (const _ in headers) return false;
  return true;
}

/** See {@link headersToColumn}. */
export function headersFromColumn(column: string | null): Headers {
  if (column === null) return NO_HEADERS;
  const headers = Object.create(null) as Record<string, string | Uint8Array>;
  for (const [name, value] of JSON.parse(column) as [string, string | { readonly b: string }][]) {
    headers[name] = typeof value === "string" ? value : new Uint8Array(Buffer.from(value.b, "base64"));
  }
  return headers;
}

/** An envelope as one column. */
export function headToColumn(envelope: Envelope | undefined): string | null {
  return envelope === undefined ? null : JSON.stringify(envelope);
}

/** See {@link headToColumn}. */
export function headFromColumn(column: string | null): Envelope | undefined {
  return column === null ? undefined : (JSON.parse(column) as Envelope);
}

/** Bytes of headers, as far as flow control needs to know. */
export function headerBytes(headers: Headers): number {
  if (hasNone(headers)) return 0;
  let bytes = 0;
  for (const name of Object.keys(headers)) bytes += name.length + headers[name]!.length;
  return bytes;
}

/** A body that nobody can change any more under a reader. */
export function keepable(body: WireBody): WireBody {
  return typeof body === "string" ? body : body.slice();
}

function headerValue(value: string | Uint8Array): string | { readonly b: string } {
  return typeof value === "string" ? value : { b: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64") };
}
