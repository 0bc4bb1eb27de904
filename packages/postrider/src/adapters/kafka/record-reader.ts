import { isUtf8 } from "node:buffer";
import { checkEnvelope } from "../../envelope/check.ts";
import { NO_HEADERS } from "../../envelope/envelope.ts";
import type { Envelope, FoundMessage, Headers, WireBody } from "../../envelope/envelope.ts";
import type { RawRecord } from "./batch-reader.ts";
import { VarintReader } from "./varint.ts";
import { HeaderShapes, isRepeated, keepValue, sameValue } from "./header-shapes.ts";
import type { HeaderShape } from "./header-shapes.ts";
import { KnownHeads } from "./known-heads.ts";
import type { KnownHead } from "./known-heads.ts";
import { BYTES_BODY, BYTES_HEADERS, DEFAULT_TYPE, INBOX, KEY_HEADER, MAY_REPEAT, PREFIX, TOMBSTONE_HEADER } from "./wire-names.ts";

/** A message as it was found, and whether the same id may come again. */
export interface DecodedRecord extends FoundMessage {
  readonly mayRepeat: boolean;
}

const TYPE_NAME = Buffer.from(`${PREFIX}type`);
const INBOX_NAME = Buffer.from(INBOX);
const OF_HEADS = ["source", "type", "kind", "contractversion"] as const;
const shapes = new HeaderShapes();
const heads = new KnownHeads();
const SPECVERSION = "1.0";
const MAX_KNOWN_HEADERS = 64; // beyond that an envelope might have too many attributes
const REPLACEMENT = "\ufffd";

/** Reads a record: our own, somebody's CloudEvent, or anything else. Never throws. */
export function decodeRecord({ buffer, keyAt }: Pick<RawRecord, "buffer" | "keyAt">): DecodedRecord {
  const reader = new VarintReader(buffer, keyAt);
  const keyLength = reader.next();
  const keyStart = reader.at;
  if (keyLength > 0) reader.at += keyLength;
  const length = reader.next();
  const bodyAt = reader.at;
  if (length > 0) reader.at += length;
  const headersAt = reader.at;
  const head = new HeadReading(reader);
  const envelope = head.envelope();
  const body = bodyOf(buffer, bodyAt, length, envelope !== undefined && head.isBytes);
  if (envelope !== undefined) return { envelope, headers: head.userHeaders(), body, mayRepeat: head.mayRepeat };
  reader.at = headersAt;
  const headers = allHeaders(reader);
  if (length < 0) headers[TOMBSTONE_HEADER] = "true";
  if (keyLength >= 0) headers[KEY_HEADER] ??= textOrBytes(buffer, keyStart, keyStart + keyLength);
  return { envelope: undefined, headers, body, mayRepeat: true };
}

/** The type that a record says it is of, without reading the rest; undefined for what is no CloudEvent. */
export function typeOfRecord(record: Pick<RawRecord, "buffer" | "keyAt">): string | undefined {
  return headerOf(record, TYPE_NAME);
}

/** The inbox that an answer is for. */
export function inboxOf(record: Pick<RawRecord, "buffer" | "keyAt">): string | undefined {
  return headerOf(record, INBOX_NAME);
}

function headerOf({ buffer, keyAt }: Pick<RawRecord, "buffer" | "keyAt">, wanted: Buffer): string | undefined {
  const reader = new VarintReader(buffer, keyAt);
  skip(reader);
  skip(reader);
  for (let left = reader.next(); left > 0; left--) {
    const length = reader.next();
    const at = reader.at;
    if (length > 0) reader.at += length;
    const isWanted = length === wanted.length && startsWith(buffer, at, wanted);
    const valueLength = reader.next();
    if (isWanted) return buffer.toString("utf8", reader.at, reader.at + Math.max(0, valueLength));
    if (valueLength > 0) reader.at += valueLength;
  }
  return undefined;
}

interface OtherHeader {
  readonly name: string;
  readonly at: number;
  readonly end: number;
}

/** One pass over a record's headers: attributes, ours, and the user's. */
class HeadReading {
  isBytes = false;
  mayRepeat = false;
  readonly #buffer: Buffer;
  readonly #attributes: Record<string, unknown>;
  /** Whether what stands before the id was read and found good before. */
  readonly #isKnown: boolean;
  /** What stood before the id, where that is worth knowing. */
  #head: KnownHead | undefined;
  #others: OtherHeader[] | undefined;
  #specversion: string | undefined;
  #bytesHeaders: string | undefined;
  #isReadable = true;
  #id: string | undefined;
  #idAt = 0;
  #idLength = -1;

  constructor(reader: VarintReader) {
    const { bytes } = reader;
    const from = reader.at;
    this.#buffer = bytes;
    const known = heads.at(bytes, from);
    this.#isKnown = known !== undefined;
    this.#attributes = { ...known?.attributes };
    if (known !== undefined) {
      reader.at += known.bytes.length;
      this.#specversion = SPECVERSION;
    }
    const count = known?.count ?? reader.next();
    for (let place = known?.places ?? 0; place < count; place++) {
      const end = reader.at;
      const nameLength = Math.max(0, reader.next());
      const shape = shapes.nameAt(place, bytes, reader.at, nameLength);
      if (shape.isId && known === undefined) this.#keepHead({ from, end, count, places: place });
      reader.at += nameLength;
      const length = Math.max(0, reader.next());
      if (shape.attribute !== undefined) this.#attribute(shape, reader.at, length);
      else this.#take(shape, reader.at, reader.at + length);
      reader.at += length;
    }
  }

  /** Undefined where it is not ours or cannot be read. */
  envelope(): Envelope | undefined {
    const attributes = this.#attributes;
    if (this.#specversion !== SPECVERSION || !this.#isReadable) return undefined;
    if (this.#isKnown && attributes["id"] !== undefined && attributes["time"] !== undefined) return attributes as unknown as Envelope;
    const version = attributes["contractversion"];
    if (attributes["kind"] === undefined && version === undefined) return undefined;
    if (typeof version === "string") attributes["contractversion"] = /^\d{1,9}$/.test(version) ? Number(version) : Number.NaN;
    const checked = checkEnvelope(attributes);
    if (typeof checked === "string") return undefined;
    if (this.#head !== undefined) learn(this.#head, checked);
    return checked;
  }

  userHeaders(): Headers {
    if (this.#others === undefined) return NO_HEADERS;
    const asBytes = namesIn(this.#bytesHeaders);
    const headers = Object.create(null) as Record<string, string | Uint8Array>;
    for (const { name, at, end } of this.#others)
      headers[name] = asBytes.has(name) ? new Uint8Array(this.#buffer.subarray(at, end)) : textOrBytes(this.#buffer, at, end);
    return headers;
  }

  #keepHead({ from, end, count, places }: { from: number; end: number; count: number; places: number }): void {
    const isPlain = this.#others === undefined && this.#bytesHeaders === undefined && !this.isBytes && !this.mayRepeat;
    if (this.#specversion !== SPECVERSION || !isPlain) return;
    this.#head = { bytes: Buffer.from(this.#buffer.subarray(from, end)), count, places, attributes: { ...this.#attributes } };
  }

  #take({ name, isContentType }: HeaderShape, at: number, end: number): void {
    if (isContentType) return this.#contentType(this.#buffer.toString("utf8", at, end));
    if (name === MAY_REPEAT) this.mayRepeat = true;
    else if (name === BYTES_BODY) this.isBytes = true;
    else if (name === BYTES_HEADERS) this.#bytesHeaders = this.#buffer.toString("utf8", at, end);
    else if (name !== INBOX) (this.#others ??= []).push({ name, at, end });
  }

  #attribute(shape: HeaderShape, at: number, length: number): void {
    const text = this.#text(shape, at, length);
    const attribute = shape.attribute!;
    if (text === undefined) this.#isReadable = false;
    else if (attribute === "specversion") this.#specversion ??= text;
    else if (this.#attributes[attribute] === undefined) {
      this.#attributes[attribute] = text;
      if (this.#isKnown && !shape.fits(text)) this.#isReadable = false;
    }
    if (!shape.isId || this.#id !== undefined) return;
    this.#id = text;
    this.#idAt = at;
    this.#idLength = length;
  }

  /** The text of a value, made anew only where it is not there already. */
  #text(shape: HeaderShape, at: number, length: number): string | undefined {
    if (shape.repeatsId && length === this.#idLength && isRepeated(this.#buffer, at, this.#idAt, length)) return this.#id;
    const known = sameValue(shape, this.#buffer, at, length);
    if (known !== undefined) return known;
    const text = textOf(this.#buffer, at, at + length);
    if (text !== undefined && shape.isShared) keepValue(shape, this.#buffer, at, length, text);
    return text;
  }

  #contentType(text: string): void {
    if (text !== DEFAULT_TYPE) this.#attributes["datacontenttype"] ??= text;
  }
}

/** Remembers what an envelope that is good began with, where the rest of it can be told by itself. */
function learn(head: KnownHead, { contractversion }: Envelope): void {
  if (head.count > MAX_KNOWN_HEADERS || OF_HEADS.some((name) => head.attributes[name] === undefined)) return;
  heads.learn({ ...head, attributes: { ...head.attributes, contractversion } });
}

function allHeaders(reader: VarintReader): Record<string, string | Uint8Array> {
  const { bytes } = reader;
  const all = Object.create(null) as Record<string, string | Uint8Array>;
  // Of a name given several times the last one counts, as Kafka's own `lastHeader` has it.
  for (let left = reader.next(); left > 0; left--) {
    const nameLength = Math.max(0, reader.next());
    const name = bytes.toString("utf8", reader.at, reader.at + nameLength);
    reader.at += nameLength;
    const length = Math.max(0, reader.next());
    all[name] = textOrBytes(bytes, reader.at, reader.at + length);
    reader.at += length;
  }
  return all;
}

function bodyOf(buffer: Buffer, at: number, length: number, isBytes: boolean): WireBody {
  if (length <= 0) return isBytes ? new Uint8Array(0) : "";
  return isBytes ? new Uint8Array(buffer.subarray(at, at + length)) : textOrBytes(buffer, at, at + length);
}

/** Bytes get a buffer of their own: a slice would keep the whole answer of the broker alive. */
function textOrBytes(buffer: Buffer, at: number, end: number): string | Uint8Array {
  return textOf(buffer, at, end) ?? new Uint8Array(buffer.subarray(at, end));
}

/** Undefined where it is not UTF-8. Decoding puts a mark where something is wrong, and a text that has none needs no second look. */
function textOf(buffer: Buffer, at: number, end: number): string | undefined {
  const text = buffer.toString("utf8", at, end);
  return text.includes(REPLACEMENT) && !isUtf8(buffer.subarray(at, end)) ? undefined : text;
}

function namesIn(list: string | undefined): ReadonlySet<string> {
  if (list === undefined) return new Set();
  try {
    const read = JSON.parse(list) as unknown;
    return new Set(Array.isArray(read) ? read.map(String) : []);
  } catch {
    return new Set(); // somebody else's header of our name: its values stay what they look like
  }
}

function startsWith(buffer: Buffer, at: number, wanted: Buffer): boolean {
  for (let index = 0; index < wanted.length; index++) if (buffer[at + index] !== wanted[index]) return false;
  return true;
}

/** Passes over a length and what it counts. */
function skip(reader: VarintReader): void {
  const length = reader.next();
  if (length > 0) reader.at += length;
}
