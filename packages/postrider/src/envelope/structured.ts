import type { HeadReading } from "./attributes.ts";
import { checkEnvelope } from "./check.ts";
import { NO_HEADERS } from "./envelope.ts";
import type { Headers, WireBody, WireMessage } from "./envelope.ts";
import { isJsonType, parseJson, textOf } from "./json.ts";

/** A whole message as it was read, or why it is not readable. */
export type StructuredReading =
  | (Extract<HeadReading, { readonly unreadable: undefined }> & { readonly body: WireBody })
  | { readonly unreadable: string };

/**
 * A whole message as one JSON document (CloudEvents structured mode), for transports without headers.
 *
 * A text body of a JSON content type must be JSON: it becomes `data` as it is, character for character. Bytes become
 * `data_base64`. The user's own headers travel in the extension `prheaders`.
 */
export function encodeStructured(message: WireMessage): string {
  const { envelope, headers, body } = message;
  const head: Record<string, unknown> = {
    specversion: "1.0",
    ...envelope,
    datacontenttype: envelope.datacontenttype ?? "application/json",
  };
  if (Object.keys(headers).length > 0) head["prheaders"] = JSON.stringify(headers, base64Value);
  if (typeof body !== "string") return JSON.stringify({ ...head, data_base64: Buffer.from(body).toString("base64") });
  const data = isJsonType(envelope.datacontenttype) ? body : JSON.stringify(body);
  // `data` is the last member, so that a reader can take its text out unchanged.
  return `${JSON.stringify(head).slice(0, -1)}${DATA}${data}}`;
}

/** Reads a message in structured mode. `undefined` when it is JSON, but not ours (see `fromHeaders`). */
export function decodeStructured(document: WireBody): StructuredReading | undefined {
  const reading = parseJson(document);
  if (reading.unreadable !== undefined) return { unreadable: reading.unreadable };
  const members = reading.value as Readonly<Record<string, unknown>> | null;
  if (typeof members !== "object" || members === null || !Object.hasOwn(members, "specversion")) return undefined;
  if (!Object.hasOwn(members, "kind") && !Object.hasOwn(members, "contractversion")) return undefined;
  const { specversion, data, data_base64: base64, prheaders, datacontenttype, ...others } = members;
  if (specversion !== "1.0") return { unreadable: "its CloudEvents version is not 1.0" };
  const isDefaultType = typeof datacontenttype === "string" && isJsonType(datacontenttype);
  const envelope = checkEnvelope(isDefaultType ? others : { ...others, datacontenttype });
  if (typeof envelope === "string") return { unreadable: envelope };
  const headers = headersOf(prheaders);
  if (headers === undefined) return { unreadable: "prheaders is not readable" };
  const body = bodyOf(textOf(document)!, data, base64, isJsonType(envelope.datacontenttype));
  return body === undefined ? { unreadable: "data_base64 is not base64" } : { unreadable: undefined, envelope, headers, body };
}

const DATA = `,"data":`;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

function bodyOf(text: string, data: unknown, base64: unknown, isJson: boolean): WireBody | undefined {
  if (base64 !== undefined && base64 !== null)
    return typeof base64 === "string" && BASE64.test(base64) ? Buffer.from(base64, "base64") : undefined;
  if (data === undefined) return "";
  if (!isJson) return typeof data === "string" ? data : JSON.stringify(data);
  return rawData(text) ?? JSON.stringify(data);
}

// Quotes within a string are escaped, so the first place that looks like the member is the member, or lies within another
// member's object; the text taken out must then also be JSON by itself to be believed.
function rawData(text: string): string | undefined {
  const at = text.indexOf(DATA);
  if (at === -1) return undefined;
  const raw = text.slice(at + DATA.length, text.lastIndexOf("}"));
  const head = parseJson(`${text.slice(0, at)}}`);
  return head.unreadable === undefined && parseJson(raw).unreadable === undefined ? raw : undefined;
}

function base64Value(this: unknown, name: string, value: unknown): unknown {
  const held = (this as Readonly<Record<string, unknown>>)[name]; // Buffer has a toJSON of its own
  return held instanceof Uint8Array ? { base64: Buffer.from(held).toString("base64") } : value;
}

function headersOf(text: unknown): Headers | undefined {
  if (text === undefined || text === null) return NO_HEADERS;
  const reading = typeof text === "string" ? parseJson(text) : undefined;
  if (reading === undefined || reading.unreadable !== undefined || typeof reading.value !== "object" || reading.value === null)
    return undefined;
  const headers = Object.create(null) as Record<string, string | Uint8Array>;
  for (const [name, value] of Object.entries(reading.value as Readonly<Record<string, unknown>>)) {
    const base64 = (value as { readonly base64?: unknown } | null)?.base64;
    if (typeof value === "string") headers[name] = value;
    else if (typeof base64 === "string") headers[name] = Buffer.from(base64, "base64");
    else return undefined;
  }
  return headers;
}
