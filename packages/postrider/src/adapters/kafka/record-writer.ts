import { isUtf8 } from "node:buffer";
import { bodyBytes, NO_HEADERS } from "../../envelope/envelope.ts";
import type { Envelope, Headers, Outgoing } from "../../envelope/envelope.ts";
import { murmur2 } from "./murmur2.ts";
import { varintBytes, varintSize, writeVarint } from "./varint.ts";
import { BYTES_BODY, BYTES_HEADERS, CONTENT_TYPE, DEFAULT_TYPE, INBOX, isTraceName, MAY_REPEAT, PREFIX } from "./wire-names.ts";

// Attributes with few different values: name and value are written as one block that is made once.
const FEW = new Set(["dataschema", "tenant", "priority", "time", "expirytime"]);
// Written before the others: as one block with the version, or from the id's own bytes.
const IN_HEAD = new Set(["datacontenttype", "source", "type", "kind", "contractversion", "id", "correlationid", "conversationid"]);
const MAX_KEPT = 512;
const MAX_GUESSED = 16 * 1024;
const MAX_UTF8_BYTES = 3; // of one UTF-16 unit
const MAX_LENGTH_BYTES = 5;
const CHUNK_BYTES = 64 * 1024;
const HEADERS_BYTES = 4096; // most headers need less

const headerNames = new Map<string, Buffer>();
const attributeNames = new Map<string, Buffer>();
const fewBlocks = new Map<string, Map<string, Buffer>>([...FEW].map((name) => [name, new Map<string, Buffer>()]));
const heads = new Map<string, Head>();
const ID_NAME = attributeName("id");
const CORRELATION_NAME = attributeName("correlationid");
const CONVERSATION_NAME = attributeName("conversationid");
const MAY_REPEAT_BLOCK = block(MAY_REPEAT, "1");
const BYTES_BODY_BLOCK = block(BYTES_BODY, "1");

/** What all messages of one sender and contract have in common. */
interface Head extends Pick<Envelope, "source" | "kind" | "contractversion"> {
  readonly datacontenttype: string | undefined;
  readonly bytes: Buffer;
}

const HEAD_HEADERS = 6;

/**
 * Writes messages as Kafka records: key, body, and headers in CloudEvents' binary mode beside the user's own.
 *
 * What it returns is a record without the few bytes at its front that depend on the batch around it. Records lie one behind the other in chunks that
 * nobody writes to again: a buffer for each would cost as much as what is written into it.
 * The client's own encoder makes four buffers for each header, which costs five times as much as the rest of a message together.
 */
export class RecordWriter {
  #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  /** Where the record begins, and where it goes on. */
  #from = 0;
  #at = 0;
  #count = 0;
  #idFrom = 0;
  #idTo = 0;
  #keyHash = 0;

  /** The {@link murmur2} of the last record's key, or of its message's id where it has none: a message without a key meets its own repetitions. */
  get keyHash(): number {
    return this.#keyHash;
  }

  encode(message: Outgoing, key: string | undefined, inbox?: string): Buffer {
    this.#from = this.#at;
    this.#count = 0;
    if (key === undefined) this.#varint(-1);
    else this.#text(key);
    if (key !== undefined) this.#keyHash = murmur2(this.#chunk, this.#from + varintSize(this.#chunk, this.#from), this.#at);
    const { body } = message;
    if (typeof body === "string") this.#text(body);
    else this.#bytes(body);
    // Room for the number of headers, which is known at the end; a second byte is needed from 64 on.
    this.#reserve(1);
    const countBehind = this.#at++ - this.#from;
    this.#headers(message, inbox);
    if (key === undefined) this.#keyHash = murmur2(this.#chunk, this.#idFrom + varintSize(this.#chunk, this.#idFrom), this.#idTo);
    this.#reserve(MAX_LENGTH_BYTES);
    this.#putCount(countBehind);
    return this.#chunk.subarray(this.#from, this.#at);
  }

  #headers({ envelope, headers, body, mayRepeat }: Outgoing, inbox: string | undefined): void {
    this.#raw(headOf(envelope).bytes);
    this.#count += HEAD_HEADERS;
    this.#ids(envelope);
    const attributes = envelope as unknown as Record<string, string | undefined>;
    for (const name in attributes) {
      if (IN_HEAD.has(name)) continue;
      const value = attributes[name];
      if (value === undefined) continue;
      const few = fewBlocks.get(name);
      if (few === undefined) this.#header(attributeName(name), value);
      else this.#block(fewBlock(few, name, value));
    }
    if (headers !== NO_HEADERS) this.#userHeaders(headers);
    if (typeof body !== "string") this.#block(BYTES_BODY_BLOCK);
    if (mayRepeat) this.#block(MAY_REPEAT_BLOCK);
    if (inbox !== undefined) this.#header(headerName(INBOX), inbox);
  }

  #ids({ id, correlationid, conversationid }: Envelope): void {
    this.#raw(ID_NAME);
    this.#idFrom = this.#at;
    this.#text(id);
    this.#idTo = this.#at;
    this.#count++;
    if (correlationid !== undefined) this.#thread(CORRELATION_NAME, correlationid, id);
    if (conversationid !== undefined) this.#thread(CONVERSATION_NAME, conversationid, id);
  }

  /** A message that nothing caused has its own id three times: its bytes are there already. */
  #thread(name: Buffer, value: string, id: string): void {
    this.#raw(name);
    this.#count++;
    if (value !== id) return this.#text(value);
    this.#reserve(this.#idTo - this.#idFrom);
    this.#chunk.copyWithin(this.#at, this.#idFrom, this.#idTo);
    this.#at += this.#idTo - this.#idFrom;
  }

  #userHeaders(headers: Headers): void {
    const asBytes: string[] = [];
    for (const name of Object.keys(headers)) {
      const value = headers[name]!;
      if (typeof value === "string") {
        this.#header(headerName(name), value);
        continue;
      }
      if (isUtf8(value)) asBytes.push(name);
      this.#text(name);
      this.#bytes(value);
      this.#count++;
    }
    if (asBytes.length > 0) this.#header(headerName(BYTES_HEADERS), JSON.stringify(asBytes));
  }

  #header(name: Buffer, value: string): void {
    this.#raw(name);
    this.#text(value);
    this.#count++;
  }

  #block(bytes: Buffer): void {
    this.#raw(bytes);
    this.#count++;
  }

  #raw(bytes: Buffer): void {
    this.#reserve(bytes.length);
    this.#chunk.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #text(text: string): void {
    if (text.length > MAX_GUESSED) return this.#longText(text);
    this.#reserve(text.length * MAX_UTF8_BYTES + MAX_LENGTH_BYTES);
    // Most texts have a byte for each character: then the room that was left for the length is right, and nobody need count first.
    const room = varintBytes(text.length);
    const start = this.#at + room;
    const length = this.#chunk.write(text, start);
    const size = varintBytes(length);
    if (size !== room) this.#chunk.copyWithin(this.#at + size, start, start + length);
    this.#at = writeVarint(this.#chunk, length, this.#at) + length;
  }

  #longText(text: string): void {
    const length = bodyBytes(text);
    this.#varint(length);
    this.#reserve(length);
    this.#at += this.#chunk.write(text, this.#at);
  }

  #bytes(bytes: Uint8Array): void {
    this.#varint(bytes.byteLength);
    this.#reserve(bytes.byteLength);
    this.#chunk.set(bytes, this.#at);
    this.#at += bytes.byteLength;
  }

  #varint(value: number): void {
    this.#reserve(5);
    this.#at = writeVarint(this.#chunk, value, this.#at);
  }

  #putCount(behind: number): void {
    const countAt = this.#from + behind;
    const size = varintBytes(this.#count);
    if (size > 1) {
      this.#chunk.copyWithin(countAt + size, countAt + 1, this.#at);
      this.#at += size - 1;
    }
    writeVarint(this.#chunk, this.#count, countAt);
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#chunk.length) return;
    // The record goes on in another chunk, with what there is of it.
    const length = this.#at - this.#from;
    const next = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, length + bytes + HEADERS_BYTES));
    this.#chunk.copy(next, 0, this.#from, this.#at);
    this.#idFrom -= this.#from;
    this.#idTo -= this.#from;
    this.#from = 0;
    this.#at = length;
    this.#chunk = next;
  }
}

function headOf(envelope: Envelope): Head {
  const { type, source, kind, contractversion, datacontenttype } = envelope;
  const known = heads.get(type);
  if (
    known?.source === source &&
    known.kind === kind &&
    known.contractversion === contractversion &&
    known.datacontenttype === datacontenttype
  )
    return known;
  const bytes = Buffer.concat([
    block(`${PREFIX}specversion`, "1.0"),
    block(CONTENT_TYPE, datacontenttype ?? DEFAULT_TYPE),
    block(`${PREFIX}source`, source),
    block(`${PREFIX}type`, type),
    block(`${PREFIX}kind`, kind),
    block(`${PREFIX}contractversion`, String(contractversion)),
  ]);
  const head: Head = { source, kind, contractversion, datacontenttype, bytes };
  if (heads.size >= MAX_KEPT) heads.clear();
  heads.set(type, head);
  return head;
}

function headerName(name: string): Buffer {
  return keptName(headerNames, name, name);
}

function attributeName(name: string): Buffer {
  return attributeNames.get(name) ?? keptName(attributeNames, name, isTraceName(name) ? name : PREFIX + name);
}

function keptName(kept: Map<string, Buffer>, name: string, header: string): Buffer {
  let bytes = kept.get(name);
  if (bytes === undefined) {
    bytes = lengthAndText(header);
    if (kept.size < MAX_KEPT) kept.set(name, bytes);
  }
  return bytes;
}

function fewBlock(few: Map<string, Buffer>, name: string, value: string): Buffer {
  let bytes = few.get(value);
  if (bytes === undefined) {
    if (few.size >= MAX_KEPT) few.clear();
    bytes = block(PREFIX + name, value);
    few.set(value, bytes);
  }
  return bytes;
}

function block(name: string, value: string): Buffer {
  return Buffer.concat([lengthAndText(name), lengthAndText(value)]);
}

function lengthAndText(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(varintBytes(bytes.length));
  writeVarint(length, bytes.length, 0);
  return Buffer.concat([length, bytes]);
}
