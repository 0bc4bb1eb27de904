import { isUtf8 } from "node:buffer";
import { bodyBytes, NO_HEADERS } from "../../envelope/envelope.ts";
import type { Headers, Outgoing } from "../../envelope/envelope.ts";
import { varintBytes, writeVarint } from "./varint.ts";
import { BYTES_BODY, BYTES_HEADERS, CONTENT_TYPE, DEFAULT_TYPE, INBOX, isTraceName, MAY_REPEAT, PREFIX } from "./wire-names.ts";

// Attributes with few different values: name and value are written as one block that is made once.
const FEW = new Set([
  "source",
  "type",
  "kind",
  "contractversion",
  "dataschema",
  "tenant",
  "priority",
  "time",
  "expirytime",
  "conversationid",
]);
const MAX_KEPT = 512;
const FIRST_SCRATCH_BYTES = 64 * 1024;
const MAX_KEPT_SCRATCH_BYTES = 1024 * 1024;

const headerNames = new Map<string, Buffer>();
const attributeNames = new Map<string, Buffer>();
const fewBlocks = new Map<string, Map<string, Buffer>>([...FEW].map((name) => [name, new Map<string, Buffer>()]));
const VERSION_BLOCK = block(`${PREFIX}specversion`, "1.0");
const JSON_BLOCK = block(CONTENT_TYPE, DEFAULT_TYPE);
const MAY_REPEAT_BLOCK = block(MAY_REPEAT, "1");
const BYTES_BODY_BLOCK = block(BYTES_BODY, "1");

/**
 * Writes messages as Kafka records: key, body, and headers in CloudEvents' binary mode beside the user's own.
 *
 * What it returns is a record without the few bytes at its front that depend on the batch around it; a copy, so that nobody changes it any more.
 * The client's own encoder makes four buffers for each header, which costs five times as much as the rest of a message together.
 */
export class RecordWriter {
  #scratch = Buffer.allocUnsafe(FIRST_SCRATCH_BYTES);
  #at = 0;
  #count = 0;

  encode(message: Outgoing, key: string | undefined, inbox?: string): Buffer {
    this.#at = 0;
    this.#count = 0;
    if (key === undefined) this.#varint(-1);
    else this.#text(key);
    const { body } = message;
    if (typeof body === "string") this.#text(body);
    else this.#bytes(body);
    // Room for the number of headers, which is known at the end; a second byte is needed from 64 on.
    const countAt = this.#at;
    this.#at++;
    this.#headers(message, inbox);
    this.#putCount(countAt);
    const record = Buffer.allocUnsafe(this.#at);
    this.#scratch.copy(record, 0, 0, this.#at);
    if (this.#scratch.length > MAX_KEPT_SCRATCH_BYTES) this.#scratch = Buffer.allocUnsafe(FIRST_SCRATCH_BYTES);
    return record;
  }

  #headers({ envelope, headers, body, mayRepeat }: Outgoing, inbox: string | undefined): void {
    this.#block(VERSION_BLOCK);
    if (envelope.datacontenttype === undefined) this.#block(JSON_BLOCK);
    else this.#header(headerName(CONTENT_TYPE), envelope.datacontenttype);
    const attributes = envelope as unknown as Record<string, string | number | undefined>;
    for (const name in attributes) {
      const value = attributes[name];
      if (value === undefined || name === "datacontenttype") continue;
      const few = fewBlocks.get(name);
      if (few === undefined) this.#header(attributeName(name), value as string);
      else this.#block(fewBlock(few, name, String(value)));
    }
    if (headers !== NO_HEADERS) this.#userHeaders(headers);
    if (typeof body !== "string") this.#block(BYTES_BODY_BLOCK);
    if (mayRepeat) this.#block(MAY_REPEAT_BLOCK);
    if (inbox !== undefined) this.#header(headerName(INBOX), inbox);
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
    this.#scratch.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #text(text: string): void {
    const length = bodyBytes(text);
    this.#varint(length);
    this.#reserve(length);
    this.#at += this.#scratch.write(text, this.#at, "utf8");
  }

  #bytes(bytes: Uint8Array): void {
    this.#varint(bytes.byteLength);
    this.#reserve(bytes.byteLength);
    this.#scratch.set(bytes, this.#at);
    this.#at += bytes.byteLength;
  }

  #varint(value: number): void {
    this.#reserve(5);
    this.#at = writeVarint(this.#scratch, value, this.#at);
  }

  #putCount(countAt: number): void {
    const size = varintBytes(this.#count);
    if (size > 1) {
      this.#reserve(size);
      this.#scratch.copyWithin(countAt + size, countAt + 1, this.#at);
      this.#at += size - 1;
    }
    writeVarint(this.#scratch, this.#count, countAt);
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#scratch.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#scratch.length * 2));
    this.#scratch.copy(larger, 0, 0, this.#at);
    this.#scratch = larger;
  }
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
