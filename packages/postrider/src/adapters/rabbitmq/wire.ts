import { isUtf8 } from "node:buffer";
import { laneOf } from "../../base/ids.ts";
import { fromHeaders } from "../../envelope/attributes.ts";
import type { AttributePrefix } from "../../envelope/attributes.ts";
import type { Envelope, FoundMessage, Headers, Outgoing, WireBody } from "../../envelope/envelope.ts";
import { DEFAULT_TYPE, PREFIX, REPEAT_HEADER, SPEC_HEADER, TRACE_NAMES } from "./names.ts";
import { OwnProperties } from "./own-properties.ts";
import type { AmqpMessage, AmqpPublishOptions } from "./vendor.ts";

/** A message as it was found, with what the transport needs of it. */
export interface WireFound extends FoundMessage {
  readonly mayRepeat: boolean;
  /** Bytes of body and headers, about. */
  readonly bytes: number;
}

type HeaderTable = Record<string, unknown>;

const MAX_SHORT_TEXT_BYTES = 255; // AMQP 0-9-1 short string: every property, and every header's name
const MAX_BYTES_OF_CHARACTER = 3; // UTF-8, of a UTF-16 unit
/** The delivery mode of a message that is kept over a restart of the broker. */
export const PERSISTENT = 2;
const TEXT_ENCODING = "utf-8";
const headerNames = new Map<string, string>();
let lastTime = "";
let lastSeconds: number | undefined;

/** The lane of a message: that of its key, or of its id. */
export function laneOfMessage({ envelope }: Pick<Outgoing, "envelope">, lanes: number): number {
  return lanes === 1 ? 0 : laneOf(envelope.partitionkey ?? envelope.id, lanes);
}

/** The bytes of a body. Bytes are copied: the caller may change its own before they have left. */
export function contentOf(body: WireBody): Buffer {
  return typeof body === "string" ? Buffer.from(body) : Buffer.from(body as Uint8Array<ArrayBuffer>);
}

/**
 * A message as AMQP carries it: CloudEvents' binary mode in headers (`cloudEvents:id` …), and the properties that plain readers look at.
 *
 * A message that nothing caused begins its thread and its conversation: their ids are its own, and only the property says so (see {@link beginsThread}).
 * Text is told from bytes by the content encoding.
 */
export function publishOptionsOf(
  { envelope, headers, body, mayRepeat }: Outgoing,
  { mandatory = false }: { readonly mandatory?: boolean } = {},
): AmqpPublishOptions {
  const correlationId = shortText(envelope.correlationid);
  const table = headerTable(envelope, headers, beginsThread(envelope, correlationId));
  if (mayRepeat) table[REPEAT_HEADER] = "1";
  return {
    mandatory,
    headers: table,
    deliveryMode: PERSISTENT,
    contentType: shortText(envelope.datacontenttype ?? DEFAULT_TYPE),
    contentEncoding: typeof body === "string" ? TEXT_ENCODING : undefined,
    messageId: shortText(envelope.id),
    correlationId,
    type: shortText(envelope.type),
    appId: shortText(envelope.source),
    timestamp: secondsOf(envelope.time),
  } as AmqpPublishOptions; // the client takes undefined for absent; its types do not say so
}

/** Reads a message: ours with its envelope, a foreign one byte for byte, its properties beside its headers. Never throws. */
export function readMessage(message: Pick<AmqpMessage, "properties" | "content">): WireFound {
  const { content } = message;
  const properties: unknown = message.properties;
  if (!(properties instanceof OwnProperties)) return readAny(message);
  const { envelope, headers, contentEncoding, mayRepeat, bytes } = properties;
  return { envelope, headers, body: ownBody(content, contentEncoding), mayRepeat, bytes: bytes + content.length };
}

function readAny({ properties, content }: Pick<AmqpMessage, "properties" | "content">): WireFound {
  const table = (properties.headers ?? {}) as HeaderTable;
  const headers = Object.create(null) as Record<string, string | Uint8Array>;
  let bytes = content.length;
  for (const name of Object.keys(table)) {
    const value = headerValue(table[name]);
    if (value === undefined) continue;
    headers[name] = value;
    bytes += name.length + value.length;
  }
  const prefix = prefixOf(headers);
  const head = prefix === undefined ? undefined : fromHeaders(withContentType(headers, properties.contentType), prefix);
  if (head === undefined || head.unreadable !== undefined)
    return { envelope: undefined, headers: withProperties(headers, properties), body: foreignBody(content), mayRepeat: false, bytes };
  const { envelope, headers: own } = head as { readonly envelope: Envelope; readonly headers: Record<string, string | Uint8Array> };
  const mayRepeat = own[REPEAT_HEADER] !== undefined;
  delete own[REPEAT_HEADER];
  return {
    envelope: withThread(envelope, properties.correlationId),
    headers: own,
    body: ownBody(content, properties.contentEncoding),
    mayRepeat,
    bytes,
  };
}

/** Whether both are its own id, and the property has room for it: then they need no headers of their own, which are 135 bytes. */
function beginsThread({ id, correlationid, conversationid }: Envelope, correlationId: string | undefined): boolean {
  return correlationid === id && conversationid === id && correlationId === id;
}

/** An envelope with what {@link beginsThread} has left out. */
function withThread(envelope: Envelope, correlationId: unknown): Envelope {
  if (envelope.correlationid !== undefined || typeof correlationId !== "string" || correlationId === "") return envelope;
  return { ...envelope, correlationid: correlationId, conversationid: envelope.conversationid ?? correlationId };
}

function headerTable(envelope: Envelope, headers: Headers, isFirst: boolean): HeaderTable {
  const own = Object.keys(headers);
  // Others' names need an object without any of its own; ours are quicker in an ordinary one, which the engine gives a shape.
  const table = (own.length === 0 ? {} : Object.create(null)) as HeaderTable;
  for (const name of own) {
    const value = headers[name]!;
    table[name] = typeof value === "string" ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }
  table[SPEC_HEADER] = "1.0";
  for (const name of Object.keys(envelope)) {
    const value = envelope[name as keyof Envelope];
    if (isFirst && (name === "correlationid" || name === "conversationid")) continue;
    if (value !== undefined && name !== "datacontenttype") table[headerName(name)] = String(value);
  }
  return table;
}

function headerName(attribute: string): string {
  const known = headerNames.get(attribute);
  if (known !== undefined) return known;
  const name = TRACE_NAMES.has(attribute) ? attribute : PREFIX + attribute;
  if (headerNames.size < 200) headerNames.set(attribute, name); // names may come from others' envelopes: not without end
  return name;
}

function shortText(text: string | undefined): string | undefined {
  if (text === undefined || text.length > MAX_SHORT_TEXT_BYTES) return undefined;
  if (text.length * MAX_BYTES_OF_CHARACTER <= MAX_SHORT_TEXT_BYTES) return text;
  return Buffer.byteLength(text) > MAX_SHORT_TEXT_BYTES ? undefined : text;
}

function secondsOf(time: string): number | undefined {
  // Messages of one batch often share their millisecond.
  if (time === lastTime) return lastSeconds;
  const ms = Date.parse(time);
  lastTime = time;
  lastSeconds = Number.isNaN(ms) || ms < 0 ? undefined : Math.floor(ms / 1000);
  return lastSeconds;
}

function prefixOf(headers: Headers): AttributePrefix | undefined {
  if (headers["cloudEvents:specversion"] !== undefined) return "cloudEvents:";
  return headers["cloudEvents_specversion"] === undefined ? undefined : "cloudEvents_";
}

function withContentType(headers: Headers, contentType: unknown): Headers {
  return typeof contentType === "string" ? Object.assign(Object.create(null) as object, headers, { "content-type": contentType }) : headers;
}

/** Texts and bytes as they are; other AMQP types as texts, tables and lists as JSON. */
function headerValue(value: unknown): string | Uint8Array | undefined {
  if (typeof value === "string") return value;
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (value === null || value === undefined) return undefined;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value !== "object") return undefined;
  const timestamp = value as { readonly "!"?: unknown; readonly value?: unknown };
  return timestamp["!"] === "timestamp" ? String(timestamp.value) : JSON.stringify(value);
}

const SHOWN_PROPERTIES: readonly (readonly [keyof AmqpMessage["properties"], string])[] = [
  ["contentType", "content-type"],
  ["contentEncoding", "content-encoding"],
  ["messageId", "message-id"],
  ["correlationId", "correlation-id"],
  ["type", "type"],
  ["appId", "app-id"],
  ["timestamp", "timestamp"],
];

/** A foreign message's identity may be in its properties: mappings find it among the headers, which win. */
function withProperties(headers: Record<string, string | Uint8Array>, properties: AmqpMessage["properties"]): Headers {
  for (const [property, name] of SHOWN_PROPERTIES) {
    const value: unknown = properties[property];
    if (headers[name] !== undefined) continue;
    if (typeof value === "string" || typeof value === "number") headers[name] = String(value);
  }
  return headers;
}

function ownBody(content: Buffer, encoding: unknown): WireBody {
  return encoding === TEXT_ENCODING && isUtf8(content) ? content.toString() : new Uint8Array(content);
}

function foreignBody(content: Buffer): WireBody {
  return isUtf8(content) ? content.toString() : new Uint8Array(content);
}
