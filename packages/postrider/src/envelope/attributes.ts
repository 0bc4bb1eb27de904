import { checkEnvelope } from "./check.ts";
import type { Envelope, Headers } from "./envelope.ts";
import { isJsonType, textOf } from "./json.ts";

/**
 * What stands before each attribute's name where attributes are headers: Kafka `ce_`, HTTP and NATS `ce-`,
 * AMQP `cloudEvents:` or, for clients that cannot have a colon there, `cloudEvents_`.
 */
export type AttributePrefix = "ce_" | "ce-" | "cloudEvents:" | "cloudEvents_";

/** All prefixes, for readers that must find out. */
export const ATTRIBUTE_PREFIXES: readonly AttributePrefix[] = ["ce_", "ce-", "cloudEvents:", "cloudEvents_"];

/** The head of a message as it was read, or why it is not readable. */
export type HeadReading =
  | { readonly unreadable: undefined; readonly envelope: Envelope; readonly headers: Headers }
  | { readonly unreadable: string };

/**
 * An envelope as headers (CloudEvents binary mode), beside `headers` of the user's own, which never override it.
 *
 * The content type is `content-type`, and the trace is in `traceparent`, `tracestate` and `baggage` as W3C names them.
 * Behind `ce-` values are percent-encoded as the HTTP binding wants; elsewhere they are text.
 */
export function toHeaders(envelope: Envelope, prefix: AttributePrefix, headers?: Headers): Record<string, string | Uint8Array> {
  const written = Object.assign(Object.create(null) as Record<string, string | Uint8Array>, headers);
  written[`${prefix}specversion`] = "1.0";
  written["content-type"] = envelope.datacontenttype ?? DEFAULT_TYPE;
  for (const [name, value] of Object.entries(envelope) as readonly [string, string | number | boolean | undefined][]) {
    if (value === undefined || name === "datacontenttype") continue;
    if (isTraceName(name)) written[name] = String(value);
    else written[prefix + name] = prefix === "ce-" ? percentEncoded(String(value)) : String(value);
  }
  return written;
}

/**
 * Reads an envelope from headers.
 *
 * `undefined` when it is not ours: no `specversion`, or a CloudEvent of somebody else's that has neither `kind` nor
 * `contractversion` (a foreign mapping may read it). Headers that are no attributes are handed back as they are.
 */
export function fromHeaders(headers: Headers, prefix: AttributePrefix): HeadReading | undefined {
  const attributes = Object.create(null) as Record<string, unknown>;
  const others = Object.create(null) as Record<string, string | Uint8Array>;
  for (const name of Object.keys(headers)) {
    const attribute = attributeName(name, prefix);
    if (attribute === undefined) others[name] = headers[name]!;
    else attributes[attribute] ??= headers[name];
  }
  if (attributes["specversion"] === undefined || (attributes["kind"] === undefined && attributes["contractversion"] === undefined))
    return undefined;
  const checked = textAttributes(attributes, prefix);
  const envelope = typeof checked === "string" ? checked : checkEnvelope(checked);
  return typeof envelope === "string" ? { unreadable: envelope } : { unreadable: undefined, envelope, headers: others };
}

/** Whether a header's name is ours: the user's own headers may not take it. */
export function isReservedHeader(name: string): boolean {
  const lower = name.toLowerCase();
  return lower === "content-type" || isTraceName(lower) || RESERVED_PREFIXES.some((prefix) => lower.startsWith(prefix));
}

const DEFAULT_TYPE = "application/json";
const RESERVED_PREFIXES = ["ce_", "ce-", "cloudevents:", "cloudevents_", "pr-", "prheaders"];

function isTraceName(name: string): boolean {
  return name === "traceparent" || name === "tracestate" || name === "baggage";
}

function attributeName(header: string, prefix: AttributePrefix): string | undefined {
  if (header.startsWith(prefix)) return header.slice(prefix.length);
  const lower = header.toLowerCase();
  if (lower === "content-type") return "datacontenttype";
  if (isTraceName(lower)) return lower;
  return prefix === "ce-" && lower.startsWith(prefix) ? lower.slice(prefix.length) : undefined;
}

/** The attributes as their own types; a text where a value cannot be read. */
function textAttributes(attributes: Readonly<Record<string, unknown>>, prefix: AttributePrefix): Record<string, unknown> | string {
  const read: Record<string, unknown> = {};
  for (const name of Object.keys(attributes)) {
    const text = textOf(attributes[name] as string | Uint8Array);
    const value = prefix === "ce-" && text !== undefined && !isTraceName(name) ? percentDecoded(text) : text;
    if (value === undefined) return `the header of ${name} is not readable text`;
    if (name === "specversion" && value !== "1.0") return "its CloudEvents version is not 1.0";
    if (name !== "specversion" && !isDefault(name, value)) read[name] = name === "contractversion" ? versionOf(value) : value;
  }
  return read;
}

function isDefault(name: string, value: string): boolean {
  return name === "datacontenttype" && isJsonType(value);
}

function versionOf(text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN; // NaN is refused by the check, with the attribute's name
}

// CloudEvents HTTP binding 1.0.2, 3.1.3.2: space, quote, percent and everything beyond visible ASCII.
const ENCODED = /[^\u0021\u0023\u0024\u0026-\u007e]/gu;

function percentEncoded(text: string): string {
  return text
    .toWellFormed()
    .replace(ENCODED, (unit) => Array.from(Buffer.from(unit), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""));
}

function percentDecoded(text: string): string | undefined {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
