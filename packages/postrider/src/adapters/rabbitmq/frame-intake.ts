import type { Readable } from "node:stream";
import { ownPropertiesOf } from "./own-properties.ts";
import type { AmqpConnection } from "./vendor.ts";

/** What is below a connection, as far as the client shows it. */
interface InnerConnection {
  rest?: Buffer;
  maxFrameSize?: number;
  recvSinceLastCheck?: boolean;
  readonly stream?: Readable;
  recvFrame?: () => unknown;
}

const METHOD = 1;
const HEADER = 2;
const BODY = 3;
const FRAME_END = 0xce;
const HEAD_BYTES = 7; // type, channel, size
const BASIC_PROPERTIES = 60;
const BASIC_DELIVER = 60 * 65_536 + 60;
const BASIC_ACK = 60 * 65_536 + 80;
const NOTHING = Buffer.alloc(0);

/** A frame from `at` to its end mark, as the client would have it; undefined for what is left to the client. */
type FrameReader = (bytes: Buffer, at: number, end: number) => object | undefined;

/**
 * Reads the frames of deliveries in the client's place, and leaves all others to it. Where the client does not show what this needs, it does nothing.
 *
 * Of a delivery's method, exchange and routing key are left out: nothing of ours looks at them. Properties of messages of ours come as `OwnProperties`.
 * @source docs/adr/0016-rabbitmq.md
 */
export function takingDeliveries(connection: AmqpConnection): AmqpConnection {
  return taking(connection, deliveryFrame);
}

/** The same for the frames of confirms, on a connection that only publishes. */
export function takingConfirms(connection: AmqpConnection): AmqpConnection {
  return taking(connection, confirmFrame);
}

function taking(connection: AmqpConnection, frameOf: FrameReader): AmqpConnection {
  const inner = connection.connection as unknown as InnerConnection;
  if (inner.rest === undefined || inner.maxFrameSize === undefined || inner.stream === undefined || inner.recvFrame === undefined)
    return connection;
  const intake = new FrameIntake(inner as Required<InnerConnection>, frameOf);
  inner.recvFrame = () => intake.next();
  return connection;
}

class FrameIntake {
  readonly #inner: Required<InnerConnection>;
  readonly #frameOf: FrameReader;
  readonly #others: () => unknown;
  #bytes: Buffer;
  #at = 0;

  constructor(inner: Required<InnerConnection>, frameOf: FrameReader) {
    this.#inner = inner;
    this.#frameOf = frameOf;
    this.#others = inner.recvFrame.bind(inner);
    this.#bytes = inner.rest;
  }

  /** The next frame; false while there is none in whole. */
  next(): unknown {
    for (;;) {
      const left = this.#bytes.length - this.#at;
      if (left > HEAD_BYTES) {
        const end = this.#at + HEAD_BYTES + this.#bytes.readUInt32BE(this.#at + 3);
        if (end < this.#bytes.length || this.#isTooLarge(end)) return this.#frame(end);
      }
      const incoming = this.#inner.stream.read() as Buffer | null;
      if (incoming === null) return false;
      this.#inner.recvSinceLastCheck = true;
      this.#bytes = left === 0 ? incoming : Buffer.concat([this.#bytes.subarray(this.#at), incoming]);
      this.#at = 0;
    }
  }

  #isTooLarge(end: number): boolean {
    const { maxFrameSize } = this.#inner;
    return maxFrameSize > 0 && end - this.#at - HEAD_BYTES > maxFrameSize;
  }

  #frame(end: number): unknown {
    const bytes = this.#bytes;
    const at = this.#at;
    this.#at = end + 1;
    const found = bytes[end] === FRAME_END && !this.#isTooLarge(end) ? this.#frameOf(bytes, at, end) : undefined;
    if (found !== undefined) return found;
    this.#inner.rest = bytes.subarray(at, end + 1);
    const other = this.#others();
    this.#inner.rest = NOTHING;
    return other;
  }
}

function deliveryFrame(bytes: Buffer, at: number, end: number): object | undefined {
  const channel = bytes.readUInt16BE(at + 1);
  const from = at + HEAD_BYTES;
  const type = bytes[at];
  if (type === BODY) return { channel, content: bytes.subarray(from, end) };
  if (type === HEADER) {
    const fields = ownPropertiesOf(bytes, from + 12);
    return fields && { id: BASIC_PROPERTIES, channel, size: longAt(bytes, from + 4), fields };
  }
  const isDelivery = type === METHOD && bytes.readUInt32BE(from) === BASIC_DELIVER;
  return isDelivery ? { id: BASIC_DELIVER, channel, fields: deliverFields(bytes, from + 4) } : undefined;
}

function confirmFrame(bytes: Buffer, at: number): object | undefined {
  const from = at + HEAD_BYTES;
  if (bytes[at] !== METHOD || bytes.readUInt32BE(from) !== BASIC_ACK) return undefined;
  const fields = { deliveryTag: longAt(bytes, from + 4), multiple: (bytes[from + 12]! & 1) === 1 };
  return { id: BASIC_ACK, channel: bytes.readUInt16BE(at + 1), fields };
}

function deliverFields(bytes: Buffer, at: number): object {
  const tagAt = at + 1 + bytes[at]!;
  const consumerTag = bytes.toString("latin1", at + 1, tagAt);
  return { consumerTag, deliveryTag: longAt(bytes, tagAt), redelivered: (bytes[tagAt + 8]! & 1) === 1, exchange: "", routingKey: "" };
}

function longAt(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}
