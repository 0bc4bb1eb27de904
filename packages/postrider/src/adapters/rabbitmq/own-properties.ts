import { checkEnvelope } from "../../envelope/check.ts";
import { NO_HEADERS } from "../../envelope/envelope.ts";
import type { Envelope, Headers } from "../../envelope/envelope.ts";
import { DEFAULT_TYPE, PREFIX, REPEAT_HEADER, SPEC_HEADER, TRACE_NAMES, VERSION_HEADER } from "./names.ts";

const LONG_TEXT = 0x53; // S
const HAS_CONTENT_ENCODING = 1 << 14;
const NEEDED = (1 << 15) | (1 << 13); // content type, headers
const HAS_DELIVERY_MODE = 1 << 12;
const HAS_PRIORITY = 1 << 11;
const HAS_CORRELATION_ID = 1 << 10;
const MAX_KNOWN = 200; // names may come from others' messages: not without end
const SHORT = 64; // longer texts are made faster than compared

/** The properties of a message of ours. */
export class OwnProperties {
  readonly envelope: Envelope;
  readonly headers: Headers;
  readonly contentEncoding: string | undefined;
  readonly mayRepeat: boolean;
  /** Bytes of the headers. */
  readonly bytes: number;

  constructor(envelope: Envelope, { headers, mayRepeat, bytes }: Table, contentEncoding: string | undefined) {
    this.envelope = envelope;
    this.headers = headers;
    this.contentEncoding = contentEncoding;
    this.mayRepeat = mayRepeat;
    this.bytes = bytes;
  }
}

interface Table {
  readonly attributes: Record<string, unknown>;
  headers: Headers;
  mayRepeat: boolean;
  readonly bytes: number;
  /** Behind it. */
  readonly end: number;
}

/** A text that was read at this place before: mostly it is the same again. */
class Latest {
  #text = "";

  at(bytes: Buffer, from: number, to: number): string {
    const latest = this.#text;
    if (to - from > SHORT || !isAt(latest, bytes, from, to)) this.#text = bytes.toString("utf8", from, to);
    return this.#text;
  }
}

/** A header that was seen before. */
class KnownHeader {
  readonly name: string;
  /** The attribute that it carries, if it does. */
  readonly attribute: string | undefined;
  readonly latest: Latest = new Latest();

  constructor(name: string) {
    this.name = name;
    if (name.startsWith(PREFIX)) this.attribute = name.slice(PREFIX.length);
    else if (TRACE_NAMES.has(name)) this.attribute = name;
  }
}

const knownHeaders = new Map<string, KnownHeader>();
const contentTypes = new Latest();
const contentEncodings = new Latest();
/** Those of the latest message, in its order: the next one mostly has the same. */
const expected: KnownHeader[] = [];

/**
 * Reads the properties of a message of ours; `at` is where their flags are. Undefined for anything else, which the client reads.
 *
 * The client makes every name and value anew, some thirty texts for a message, and a table of them.
 */
export function ownPropertiesOf(bytes: Buffer, at: number): OwnProperties | undefined {
  const flags = bytes.readUInt16BE(at);
  if ((flags & NEEDED) !== NEEDED) return undefined;
  const typeAt = at + 3;
  let next = typeAt + bytes[at + 2]!;
  const contentType = contentTypes.at(bytes, typeAt, next);
  let contentEncoding: string | undefined;
  if ((flags & HAS_CONTENT_ENCODING) !== 0) {
    const from = next + 1;
    next = from + bytes[next]!;
    contentEncoding = contentEncodings.at(bytes, from, next);
  }
  const table = tableAt(bytes, next);
  if (table === undefined) return undefined;
  if (contentType !== DEFAULT_TYPE) table.attributes["datacontenttype"] = contentType;
  if (table.attributes["correlationid"] === undefined && (flags & HAS_CORRELATION_ID) !== 0) addThread(table, bytes, flags);
  const envelope = checkEnvelope(table.attributes);
  return typeof envelope === "string" ? undefined : new OwnProperties(envelope, table, contentEncoding);
}

/** A message that nothing caused has the id of its thread only here, and no other for its conversation: it is its own. */
function addThread({ attributes, end }: Table, bytes: Buffer, flags: number): void {
  const sizeAt = end + ((flags & HAS_DELIVERY_MODE) === 0 ? 0 : 1) + ((flags & HAS_PRIORITY) === 0 ? 0 : 1);
  const from = sizeAt + 1;
  const to = from + bytes[sizeAt]!;
  if (from === to) return;
  const { id } = attributes;
  const thread = typeof id === "string" && isAt(id, bytes, from, to) ? id : bytes.toString("utf8", from, to);
  attributes["correlationid"] = thread;
  attributes["conversationid"] ??= thread;
}

/** A table of headers, if it has texts only, and an envelope in them. */
function tableAt(bytes: Buffer, sizeAt: number): Table | undefined {
  const size = bytes.readUInt32BE(sizeAt);
  const end = sizeAt + 4 + size;
  const table: Table = { attributes: {}, headers: NO_HEADERS, mayRepeat: false, bytes: size, end };
  let isOurs = false;
  for (let place = 0, at = sizeAt + 4; at < end; place++) {
    const nameEnd = at + 1 + bytes[at]!;
    const header = headerAt(bytes, at + 1, nameEnd, place);
    if (bytes[nameEnd] !== LONG_TEXT) return undefined;
    const from = nameEnd + 5;
    at = from + bytes.readUInt32BE(nameEnd + 1);
    const text = header.latest.at(bytes, from, at);
    if (header.name === SPEC_HEADER) isOurs = text === "1.0";
    else if (header.name === VERSION_HEADER) table.attributes["contractversion"] = /^\d{1,9}$/.test(text) ? Number(text) : text;
    else if (header.attribute !== undefined) table.attributes[header.attribute] = text;
    else if (header.name === REPEAT_HEADER) table.mayRepeat = true;
    else addHeader(table, header.name, text);
  }
  return isOurs ? table : undefined;
}

function addHeader(table: Table, name: string, text: string): void {
  if (table.headers === NO_HEADERS) table.headers = Object.create(null) as Headers;
  (table.headers as Record<string, string>)[name] = text;
}

function headerAt(bytes: Buffer, from: number, to: number, place: number): KnownHeader {
  const likely = expected[place];
  if (likely !== undefined && isAt(likely.name, bytes, from, to)) return likely;
  const name = bytes.toString("utf8", from, to);
  const header = knownHeaders.get(name) ?? new KnownHeader(name);
  if (knownHeaders.size < MAX_KNOWN) knownHeaders.set(name, header);
  if (place < MAX_KNOWN) expected[place] = header;
  return header;
}

/** Whether an ASCII text stands there; not for any other text. */
function isAt(text: string, bytes: Buffer, from: number, to: number): boolean {
  if (text.length !== to - from) return false;
  for (let at = from; at < to; at++) {
    const unit = bytes[at]!;
    if (unit > 0x7f || text.charCodeAt(at - from) !== unit) return false;
  }
  return true;
}
