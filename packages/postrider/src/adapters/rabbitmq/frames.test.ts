import { PassThrough } from "node:stream";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { NO_HEADERS } from "../../envelope/envelope.ts";
import type { Envelope, Outgoing } from "../../envelope/envelope.ts";
import { takingConfirms, takingDeliveries } from "./frame-intake.ts";
import { PublishFrames } from "./publish-frames.ts";
import type { Publish } from "./publish-backlog.ts";
import type { AmqpConnection, AmqpMessage } from "./vendor.ts";
import { contentOf, publishOptionsOf, readMessage } from "./wire.ts";

interface ClientFrame {
  readonly id?: number;
  readonly channel?: number;
  readonly fields?: Record<string, unknown>;
  readonly content?: Buffer;
}

interface ClientFrames {
  parseFrame(bytes: Buffer, max: number): { readonly rest: Buffer } | false;
  decodeFrame(frame: object): ClientFrame;
}

const CHANNEL = 7;
const MAX_FRAME = 4096;
const ENVELOPE: Envelope = {
  id: "0199f4a2-7b1c-7000-8000-000000000001",
  source: "/shop",
  type: "order.placed",
  kind: "event",
  contractversion: 2,
  time: "2026-01-01T00:00:01.500Z",
  partitionkey: "k",
  correlationid: "c",
};

/** What the client itself makes of frames: the judge of ours. */
const require = createRequire(import.meta.url);
const client = require(join(dirname(require.resolve("amqplib")), "lib", "frame.js")) as ClientFrames;

function publish(change: Partial<Outgoing> = {}, more: object = {}): Publish {
  const message = { destination: "order.events", envelope: ENVELOPE, headers: NO_HEADERS, body: "{}", mayRepeat: false, ...change };
  const options = { ...publishOptionsOf(message, { mandatory: true }), ...more };
  const route = { exchange: "order.events", routingKey: "order.placed.3", contract: "order.placed", destination: "order.events" };
  return { ...route, content: contentOf(message.body), options };
}

function bytesOf(...publishes: readonly Publish[]): Buffer {
  const chunks: Buffer[] = [];
  const frames = new PublishFrames(CHANNEL, MAX_FRAME, (bytes) => chunks.push(bytes));
  for (const one of publishes) frames.add(one);
  frames.flush();
  return Buffer.concat(chunks);
}

function decoded(bytes: Buffer): ClientFrame[] {
  const frames: ClientFrame[] = [];
  for (let rest = bytes; rest.length > 0;) {
    const frame = client.parseFrame(rest, MAX_FRAME);
    if (frame === false) throw new Error("half a frame");
    frames.push(client.decodeFrame(frame));
    rest = frame.rest;
  }
  return frames;
}

const FIRST: Envelope = { ...ENVELOPE, correlationid: ENVELOPE.id, conversationid: ENVELOPE.id };

const CASES: readonly (readonly [string, Publish])[] = [
  ["a plain one", publish()],
  ["one that begins a thread and a conversation", publish({ envelope: FIRST })],
  ["such a one with a priority", publish({ envelope: FIRST }, { priority: 5 })],
  ["such a one with an id beyond ASCII", publish({ envelope: { ...FIRST, id: "ü", correlationid: "ü", conversationid: "ü" } })],
  [
    "texts beyond ASCII and beyond a short loop",
    publish({ envelope: { ...ENVELOPE, subject: "ü€😀".repeat(100), partitionkey: "schlüssel" } }),
  ],
  ["headers of its sender", publish({ headers: { "x-one": "1", "x-long": "y".repeat(300) } })],
  ["bytes among them", publish({ headers: { bytes: Uint8Array.of(0, 255) } })],
  ["a repetition with a priority", publish({ mayRepeat: true }, { priority: 5 })],
  ["another content type", publish({ envelope: { ...ENVELOPE, datacontenttype: "application/xml" } })],
  ["a body of bytes", publish({ body: Uint8Array.of(1, 2, 255) })],
  ["an empty body", publish({ body: "" })],
  ["a body of several frames", publish({ body: "b".repeat(3 * MAX_FRAME) })],
  ["a body larger than a chunk", publish({ body: "b".repeat(200_000) })],
];

test.for(CASES)("the client reads what is published: %s", ([, one]) => {
  const [method, header, ...bodies] = decoded(bytesOf(publish(), one)).slice(3);
  expect(method!.channel).toBe(CHANNEL);
  expect(method!.fields).toMatchObject({ exchange: one.exchange, routingKey: one.routingKey, mandatory: true, immediate: false });
  const { mandatory: _, headers, ...properties } = one.options;
  expect(header!.fields).toMatchObject({ ...properties, headers: { ...(headers as object) } });
  expect(Buffer.concat(bodies.map(({ content }) => content!))).toEqual(one.content);
});

test.for(CASES)("properties are read as the client reads them: %s", ([, one]) => {
  const asClient = decoded(bytesOf(one))[1]!.fields as unknown as AmqpMessage["properties"];
  const { content } = one;
  const { bytes: _, ...expected } = readMessage({ properties: asClient, content });
  const { bytes: __, ...read } = readMessage({ properties: propertiesBy(one), content });
  expect(read).toEqual(expected);
  expect(read.envelope).toBeDefined();
});

test("what begins a thread and a conversation is read with both, and says so by a property alone", () => {
  const one = publish({ envelope: FIRST });
  expect(Object.keys(one.options.headers as object)).not.toContain("cloudEvents:correlationid");
  expect(readMessage({ properties: propertiesBy(one), content: one.content }).envelope).toEqual(FIRST);
});

test("headers that no frame can hold are refused, and what comes before and behind is whole", () => {
  const chunks: Buffer[] = [];
  const frames = new PublishFrames(CHANNEL, MAX_FRAME, (bytes) => chunks.push(bytes));
  frames.add(publish());
  expect(() => frames.add(publish({ headers: { large: "x".repeat(MAX_FRAME) } }))).toThrow(RangeError);
  expect(() => frames.add(publish({ headers: { ["n".repeat(256)]: "x" } }))).toThrow(RangeError);
  frames.add(publish());
  frames.flush();
  expect(decoded(Buffer.concat(chunks))).toHaveLength(6);
});

test("what is no message of ours is left to the client, property by property", () => {
  const foreign: Publish = { ...publish(), options: { messageId: "m", contentType: "text/plain", headers: { count: 7 } } };
  expect(propertiesBy(foreign)).toMatchObject({ messageId: "m", headers: { count: 7 } });
  const wrong = publish({ envelope: { ...ENVELOPE, time: "yesterday" } });
  expect(propertiesBy(wrong)).toMatchObject({ headers: { "cloudEvents:time": "yesterday" } });
});

test("confirms are read as the client reads them, and returned messages are left to it", () => {
  const ack = (tag: number, multiple: number): Buffer => {
    const bytes = Buffer.from([1, 0, CHANNEL, 0, 0, 0, 13, 0, 60, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, multiple, 0xce]);
    bytes.writeBigUInt64BE(BigInt(tag), 11);
    return bytes;
  };
  const bytes = Buffer.concat([ack(1, 0), bytesOf(publish()), ack(2 ** 40 + 7, 1)]);
  expect(intake(takingConfirms).read(bytes)).toEqual(decoded(bytes));
});

test("frames come whole, wherever the stream is cut", () => {
  const bytes = bytesOf(publish(), publish({ body: "second" }));
  const whole = intake().read(bytes);
  for (let cut = 1; cut < bytes.length; cut++) {
    const reader = intake();
    expect([...reader.read(bytes.subarray(0, cut)), ...reader.read(bytes.subarray(cut))]).toEqual(whole);
  }
});

/** The properties of a publish as they come from the reader of deliveries. */
function propertiesBy(one: Publish): AmqpMessage["properties"] {
  const [, header] = intake().read(bytesOf(one));
  return header!.fields as unknown as AmqpMessage["properties"];
}

/** The reader of deliveries, on a connection that gets bytes by hand. */
function intake(taking: (connection: AmqpConnection) => unknown = takingDeliveries): { read(bytes: Buffer): ClientFrame[] } {
  const stream = new PassThrough();
  const inner = {
    rest: Buffer.alloc(0),
    maxFrameSize: MAX_FRAME,
    recvSinceLastCheck: false,
    stream,
    recvFrame: (): unknown => client.decodeFrame(client.parseFrame(inner.rest, MAX_FRAME) as object),
  };
  taking({ connection: inner } as unknown as AmqpConnection);
  return {
    read(bytes) {
      stream.write(bytes);
      const frames: ClientFrame[] = [];
      for (let frame = inner.recvFrame(); frame !== false; frame = inner.recvFrame()) frames.push(frame as ClientFrame);
      return frames;
    },
  };
}
