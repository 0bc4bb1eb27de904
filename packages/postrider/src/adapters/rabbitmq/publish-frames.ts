import type { Publish } from "./publish-backlog.ts";

const METHOD = 1;
const HEADER = 2;
const BODY = 3;
const FRAME_END = 0xce;
const FRAME_BYTES = 8; // type, channel, size; the end
const BASIC_CLASS = 60;
const PUBLISH_METHOD = 40;
const HEADER_BYTES = 19; // of a header frame, before its properties
const CHUNK_BYTES = 64 * 1024;
const MAX_BYTES_OF_CHARACTER = 3; // UTF-8, of a UTF-16 unit
const SHORT_LOOP = 128; // longer texts are written faster by the runtime
const MAX_NAME_BYTES = 255; // AMQP 0-9-1: a short string

/**
 * Writes publishes as frames, one behind the other, into chunks that are handed on whole.
 *
 * The client makes five buffers of a message, and asks the runtime for each of some thirty texts; most of them are a few ASCII characters.
 */
export class PublishFrames {
  readonly #channel: number;
  readonly #maxFrame: number;
  readonly #send: (bytes: Buffer) => void;
  #chunk = Buffer.alloc(0);
  #at = 0;
  #from = 0;

  /** `maxFrame`: what was agreed with the broker, in bytes. */
  constructor(channel: number, maxFrame: number, send: (bytes: Buffer) => void) {
    this.#channel = channel;
    this.#maxFrame = maxFrame;
    this.#send = send;
  }

  /** Writes a publish. Call {@link flush} behind the last one of a turn. @throws RangeError for headers beyond a frame; then nothing is written */
  add(publish: Publish): void {
    this.#makeRoom(roomFor(publish, this.#maxFrame));
    const from = this.#at;
    try {
      this.#method(publish);
      this.#header(publish);
      this.#body(publish.content);
    } catch (error) {
      this.#at = from;
      throw error;
    }
  }

  /** Hands on what was written. */
  flush(): void {
    if (this.#at === this.#from) return;
    const bytes = this.#chunk.subarray(this.#from, this.#at);
    this.#from = this.#at;
    this.#send(bytes);
  }

  #makeRoom(bytes: number): void {
    if (this.#chunk.length - this.#at >= bytes) return;
    this.flush();
    this.#chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, bytes));
    this.#at = this.#from = 0;
  }

  #method({ exchange, routingKey, options }: Publish): void {
    const size = this.#beginFrame(METHOD);
    this.#uint16(BASIC_CLASS);
    this.#uint16(PUBLISH_METHOD);
    this.#uint16(0); // reserved
    this.#short(exchange);
    this.#short(routingKey);
    this.#chunk[this.#at++] = options.mandatory === true ? 1 : 0;
    this.#endFrame(size);
  }

  #header({ content, options }: Publish): void {
    const size = this.#beginFrame(HEADER);
    this.#uint16(BASIC_CLASS);
    this.#uint16(0); // weight
    this.#uint32(0);
    this.#uint32(content.length);
    const flagsAt = this.#at;
    this.#at += 2;
    // The order is the protocol's.
    let flags = 0;
    const { contentType, contentEncoding, headers, deliveryMode, priority, correlationId, messageId, timestamp, type, appId } = options;
    if (contentType !== undefined) flags |= this.#property(15, contentType);
    if (contentEncoding !== undefined) flags |= this.#property(14, contentEncoding);
    if (headers !== undefined) flags |= this.#table(13, headers as Readonly<Record<string, unknown>>);
    if (deliveryMode !== undefined) flags |= this.#octet(12, Number(deliveryMode));
    if (priority !== undefined) flags |= this.#octet(11, priority);
    if (correlationId !== undefined) flags |= this.#property(10, correlationId);
    if (messageId !== undefined) flags |= this.#property(7, messageId);
    if (timestamp !== undefined) flags |= this.#seconds(6, timestamp);
    if (type !== undefined) flags |= this.#property(5, type);
    if (appId !== undefined) flags |= this.#property(3, appId);
    this.#chunk[flagsAt] = flags >> 8;
    this.#chunk[flagsAt + 1] = flags & 0xff;
    this.#endFrame(size);
    const bytes = this.#at - flagsAt + HEADER_BYTES;
    if (bytes > this.#maxFrame) throw new RangeError(`its headers need a frame of ${bytes} bytes; the broker takes ${this.#maxFrame}`);
  }

  #body(content: Buffer): void {
    const most = this.#maxFrame - FRAME_BYTES;
    for (let from = 0; from < content.length; from += most) {
      const size = this.#beginFrame(BODY);
      this.#at += content.copy(this.#chunk, this.#at, from, Math.min(content.length, from + most));
      this.#endFrame(size);
    }
  }

  /** Returns where its size goes. */
  #beginFrame(type: number): number {
    this.#chunk[this.#at++] = type;
    this.#uint16(this.#channel);
    this.#at += 4;
    return this.#at - 4;
  }

  #endFrame(sizeAt: number): void {
    this.#sizeAt(sizeAt);
    this.#chunk[this.#at++] = FRAME_END;
  }

  #property(bit: number, text: string): number {
    this.#short(text);
    return 1 << bit;
  }

  #octet(bit: number, value: number): number {
    this.#chunk[this.#at++] = value;
    return 1 << bit;
  }

  #seconds(bit: number, value: number): number {
    this.#uint64(value);
    return 1 << bit;
  }

  #table(bit: number, table: Readonly<Record<string, unknown>>): number {
    const sizeAt = this.#at;
    this.#at += 4;
    for (const name of Object.keys(table)) {
      const value = table[name];
      if (value === undefined) continue;
      this.#short(name);
      if (typeof value === "string") this.#longText(value);
      else if (typeof value === "number") this.#long(value);
      else this.#longBytes(value as Uint8Array);
    }
    this.#sizeAt(sizeAt);
    return 1 << bit;
  }

  #longText(value: string): void {
    this.#chunk[this.#at++] = 0x53; // S
    const sizeAt = this.#at;
    this.#at += 4;
    this.#text(value);
    this.#sizeAt(sizeAt);
  }

  #longBytes(value: Uint8Array): void {
    this.#chunk[this.#at++] = 0x78; // x
    this.#uint32(value.length);
    this.#chunk.set(value, this.#at);
    this.#at += value.length;
  }

  #long(value: number): void {
    this.#chunk[this.#at++] = 0x6c; // l
    this.#uint64(value);
  }

  /** @throws RangeError when it is too long for a short string */
  #short(text: string): void {
    const sizeAt = this.#at++;
    this.#text(text);
    const bytes = this.#at - sizeAt - 1;
    if (bytes > MAX_NAME_BYTES) throw new RangeError(`a name or property of it is ${bytes} bytes long, more than ${MAX_NAME_BYTES}`);
    this.#chunk[sizeAt] = bytes;
  }

  #text(text: string): void {
    const chunk = this.#chunk;
    let at = this.#at;
    if (text.length <= SHORT_LOOP) {
      let next = 0;
      for (; next < text.length; next++) {
        const unit = text.charCodeAt(next);
        if (unit > 0x7f) break;
        chunk[at++] = unit;
      }
      if (next === text.length) return void (this.#at = at);
    }
    this.#at += chunk.write(text, this.#at);
  }

  /** The number of bytes from behind a place for a size until now, into that place. */
  #sizeAt(at: number): void {
    const size = this.#at - at - 4;
    const chunk = this.#chunk;
    chunk[at] = size >>> 24;
    chunk[at + 1] = (size >>> 16) & 0xff;
    chunk[at + 2] = (size >>> 8) & 0xff;
    chunk[at + 3] = size & 0xff;
  }

  #uint16(value: number): void {
    this.#chunk[this.#at++] = value >>> 8;
    this.#chunk[this.#at++] = value & 0xff;
  }

  #uint32(value: number): void {
    this.#at = this.#chunk.writeUInt32BE(value, this.#at);
  }

  #uint64(value: number): void {
    this.#uint32(Math.floor(value / 2 ** 32));
    this.#uint32(value % 2 ** 32);
  }
}

/** The most bytes that a publish can need. */
function roomFor({ exchange, routingKey, content, options }: Publish, maxFrame: number): number {
  let units = exchange.length + routingKey.length;
  let bytes = content.length + Math.ceil(content.length / (maxFrame - FRAME_BYTES)) * FRAME_BYTES;
  const { contentType = "", contentEncoding = "", correlationId = "", messageId = "", type = "", appId = "", headers = {} } = options;
  units += contentType.length + contentEncoding.length + correlationId.length + messageId.length + type.length + appId.length;
  for (const name of Object.keys(headers as object)) {
    const value: unknown = (headers as Readonly<Record<string, unknown>>)[name];
    units += name.length;
    if (typeof value === "string") units += value.length;
    else if (value instanceof Uint8Array) bytes += value.length;
    bytes += FIELD_BYTES;
  }
  return bytes + units * MAX_BYTES_OF_CHARACTER + FIXED_BYTES;
}

const FIELD_BYTES = 16; // of a header, around its name and value: two lengths, a type, a number
const FIXED_BYTES = 128; // of everything that has one length
