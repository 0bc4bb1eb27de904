import * as vendor from "@platformatic/kafka";
import { expect, test } from "vitest";
import { fromHeaders, toHeaders } from "../../envelope/attributes.ts";
import { NO_HEADERS } from "../../envelope/envelope.ts";
import type { Envelope, Headers, Outgoing, WireBody } from "../../envelope/envelope.ts";
import { readBatches, recordsOf } from "./batch-reader.ts";
import { signBatch, writeBatch } from "./batch-writer.ts";
import type { KafkaCompression } from "./batch-writer.ts";
import { murmur2 } from "./murmur2.ts";
import { decodeRecord, inboxOf, typeOfRecord } from "./record-reader.ts";
import { RecordWriter } from "./record-writer.ts";

const ENVELOPE: Envelope = {
  id: "0198c000-0000-7000-8000-000000000001",
  source: "/ordering",
  type: "order.placed",
  kind: "event",
  contractversion: 3,
  time: "2026-01-01T00:00:00.000Z",
  subject: "주문/7",
  partitionkey: '손님 – "7"',
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
};

function message(change: Partial<Outgoing> = {}): Outgoing {
  return { destination: "order.events", mayRepeat: false, envelope: ENVELOPE, headers: NO_HEADERS, body: '{"a":1}', ...change };
}

function batchOf(messages: readonly Outgoing[], compression: KafkaCompression = "none", inbox?: string): Buffer {
  const writer = new RecordWriter();
  const records = messages.map((one) => writer.encode(one, one.envelope.partitionkey, inbox));
  const batch = writeBatch(vendor, records, { nowMs: 1_770_000_000_000, compression });
  signBatch(vendor, batch, { producerId: 7n, producerEpoch: 1, sequence: 42 });
  return batch;
}

/** As the client reads it: an opinion that is not ours. */
function vendorRecords(batch: Buffer): { key: string | undefined; value: string | undefined; headers: Record<string, string> }[] {
  const read = vendor.readRecordsBatch(vendor.Reader.from(batch));
  return read.records.map(({ key, value, headers }) => ({
    key: key?.toString(),
    value: value?.toString(),
    headers: Object.fromEntries(headers.map(([name, text]) => [String(name), String(text)])),
  }));
}

test("the client reads our batches: keys, bodies, and headers in CloudEvents' binary mode", () => {
  const [read] = vendorRecords(batchOf([message()]));
  expect(read!.key).toBe(ENVELOPE.partitionkey);
  expect(read!.value).toBe('{"a":1}');
  expect(read!.headers).toEqual({ ...toHeaders(ENVELOPE, "ce_") });
});

test("a record's hash is that of its key, or of its message's id where it has none", () => {
  const writer = new RecordWriter();
  writer.encode(message(), ENVELOPE.partitionkey);
  expect(writer.keyHash).toBe(murmur2(Buffer.from(ENVELOPE.partitionkey!)));
  const longKey = "열쇠".repeat(100);
  writer.encode(message(), longKey);
  expect(writer.keyHash).toBe(murmur2(Buffer.from(longKey)));
  writer.encode(message(), undefined);
  expect(writer.keyHash).toBe(murmur2(Buffer.from(ENVELOPE.id)));
});

test("ids that repeat the message's own, and ids that do not, come back as they were", () => {
  for (const [correlationid, conversationid] of [
    [ENVELOPE.id, ENVELOPE.id],
    ["대화-1", ENVELOPE.id],
    [`${ENVELOPE.id.slice(0, -1)}x`, "x".repeat(300)],
  ] as const) {
    const sent = { ...ENVELOPE, correlationid, conversationid };
    const [batch] = readBatches(vendor, batchOf([message({ envelope: sent }), message({ envelope: sent })]));
    for (const record of recordsOf(batch!, 0)) expect(decodeRecord(record).envelope).toEqual(sent);
  }
});

test("a batch has its identity, its count, one time, and a checksum that fits", () => {
  const batch = batchOf([message(), message(), message()]);
  const read = vendor.readRecordsBatch(vendor.Reader.from(batch));
  expect(read).toMatchObject({
    producerId: 7n,
    producerEpoch: 1,
    firstSequence: 42,
    lastOffsetDelta: 2,
    firstTimestamp: 1_770_000_000_000n,
  });
  expect(read.crc).toBe(vendor.crc32c(batch.subarray(21)));
  expect(read.records.map(({ offsetDelta, timestampDelta }) => [offsetDelta, timestampDelta])).toEqual([
    [0, 0n],
    [1, 0n],
    [2, 0n],
  ]);
});

test("the envelope that we read is the one that everybody else reads from these headers", () => {
  const [record] = recordsOf(readBatches(vendor, batchOf([message()]))[0]!, 0);
  const { envelope } = decodeRecord(record!);
  const reading = fromHeaders(toHeaders(ENVELOPE, "ce_"), "ce_")!;
  expect(envelope).toEqual(reading.unreadable === undefined ? { ...reading.envelope } : undefined);
  expect(envelope).toEqual(ENVELOPE);
});

test.for(["none", "gzip", "snappy", "lz4", "zstd"] as const)(
  "batches compressed with %s are read by the client and by us",
  (compression) => {
    const messages = Array.from({ length: 300 }, (_, at) => message({ body: JSON.stringify({ at, text: "x".repeat(at) }) }));
    const batch = batchOf(messages, compression);
    expect(vendorRecords(batch).map(({ value }) => value)).toEqual(messages.map(({ body }) => body));
    const [read] = readBatches(vendor, batch);
    expect(recordsOf(read!, 0).map((record) => decodeRecord(record).body)).toEqual(messages.map(({ body }) => body));
  },
);

const BODIES: readonly WireBody[] = [
  "",
  "text",
  "\ufffd is a character",
  new Uint8Array(0),
  Uint8Array.of(1, 2, 3),
  Uint8Array.of(0xff, 0),
  "\ufeff{}",
  "é".repeat(100_000),
];
test.for(BODIES)("a body is read as it was written, text as text and bytes as bytes: %#", (body) => {
  const [record] = recordsOf(readBatches(vendor, batchOf([message({ body })]))[0]!, 0);
  expect(decodeRecord(record!).body).toEqual(body);
});

test("headers are read as they were written, more than sixty-three of them too", () => {
  const headers: Record<string, string | Uint8Array> = Object.assign(Object.create(null) as Headers, {
    constructor: "a",
    empty: "",
    bytes: Uint8Array.of(0xff),
    plain: Uint8Array.of(0x61),
    none: new Uint8Array(0),
  });
  for (let at = 0; at < 100; at++) headers[`h-${at}`] = `값 ${at}`;
  const [record] = recordsOf(readBatches(vendor, batchOf([message({ headers, mayRepeat: true })], "none", "inbox-7"))[0]!, 0);
  const found = decodeRecord(record!);
  expect({ ...found.headers }).toEqual({ ...headers });
  expect([found.mayRepeat, inboxOf(record!), typeOfRecord(record!)]).toEqual([true, "inbox-7", "order.placed"]);
});

test("records that one writer wrote stay as they were, whatever it writes after them", () => {
  const sizes = [0, 100, 70_000, 10, 16_500, 65_400, 40, 200_000, ...Array.from({ length: 200 }, (_, at) => 37 * at)];
  const messages = sizes.map((size, at) => message({ envelope: { ...ENVELOPE, id: `id-${at}` }, body: `${at} ${"é".repeat(size)}` }));
  const found = recordsOf(readBatches(vendor, batchOf(messages))[0]!, 0).map((record) => decodeRecord(record));
  expect(found.map(({ envelope }) => envelope!.id)).toEqual(messages.map(({ envelope }) => envelope.id));
  expect(found.every(({ body }, at) => body === messages[at]!.body)).toBe(true);
});

test("messages of many senders and contracts in one batch keep what is theirs, known beginnings or not", () => {
  const messages = Array.from({ length: 600 }, (_, at) => {
    const { subject, traceparent, ...always } = ENVELOPE;
    const envelope: Envelope = {
      ...always,
      id: `id-${at}`,
      source: `/sender-${at % 7}`,
      type: `order.happened-${at % 50}`,
      contractversion: 1 + (at % 3),
      ...(at % 2 === 0 ? {} : { subject: subject!, traceparent: traceparent! }),
      ...(at % 5 === 0 ? { datacontenttype: "application/json; charset=utf-8" } : {}),
    };
    return message({ envelope, mayRepeat: at % 11 === 0, headers: at % 13 === 0 ? { mine: String(at) } : NO_HEADERS });
  });
  for (const shuffled of [messages, messages.toReversed(), messages.slice(0, 20).concat(messages)]) {
    const found = recordsOf(readBatches(vendor, batchOf(shuffled))[0]!, 0).map((record) => decodeRecord(record));
    expect(found.map(({ envelope }) => envelope)).toEqual(shuffled.map(({ envelope }) => envelope));
    expect(found.map(({ headers }) => ({ ...headers }))).toEqual(shuffled.map(({ headers }) => ({ ...headers })));
    expect(found.map(({ mayRepeat }) => mayRepeat)).toEqual(shuffled.map(({ mayRepeat }) => mayRepeat));
  }
});

test("what is cut off at the end of a fetch is left out, and records before the wanted offset too", () => {
  const batch = batchOf([message({ body: "0" }), message({ body: "1" })]);
  const log = Buffer.concat([batch, batch, batch.subarray(0, batch.length - 5)]);
  expect(readBatches(vendor, log).length).toBe(2);
  expect(readBatches(vendor, log.subarray(0, 30))).toEqual([]);
  expect(recordsOf(readBatches(vendor, batch)[0]!, 1).map((record) => decodeRecord(record).body)).toEqual(["1"]);
});

/** A record as somebody else's client writes it. */
function foreign(record: { key?: Buffer; value?: Buffer | null; headers?: Map<Buffer, Buffer> }): ReturnType<typeof decodeRecord> {
  const written = vendor.createRecordsBatch([{ topic: "t", ...record } as never], {});
  const [read] = recordsOf(readBatches(vendor, Buffer.from(written.buffer))[0]!, 0);
  return decodeRecord(read!);
}

test("foreign records keep every byte; a tombstone is a message without a body that says so", () => {
  const headers = new Map([
    [Buffer.from("event-type"), Buffer.from("member.updated.v1")],
    [Buffer.from("raw"), Buffer.from([0xff, 0])],
  ]);
  expect(foreign({ value: Buffer.from([0xff, 0, 0x7b]), headers })).toMatchObject({
    envelope: undefined,
    body: Uint8Array.of(0xff, 0, 0x7b),
    mayRepeat: true,
  });
  expect({ ...foreign({ value: Buffer.from("{}"), headers }).headers }).toEqual({
    "event-type": "member.updated.v1",
    raw: Uint8Array.of(0xff, 0),
  });
  const gone = foreign({ key: Buffer.from("k"), value: null });
  expect([gone.envelope, gone.body, { ...gone.headers }]).toEqual([undefined, "", { "kafka-tombstone": "true", "kafka-key": "k" }]);
});

test("a CloudEvent of somebody else is foreign and keeps its headers; one that says it is ours and is not readable likewise", () => {
  const theirs = new Map(
    Object.entries({ ce_specversion: "1.0", ce_id: "7", ce_source: "/x", ce_type: "y", "content-type": "application/json" }).map(
      ([name, value]) => [Buffer.from(name), Buffer.from(value)] as const,
    ),
  );
  expect(foreign({ value: Buffer.from("{}"), headers: theirs })).toMatchObject({
    envelope: undefined,
    headers: { ce_id: "7", "content-type": "application/json" },
  });
  theirs.set(Buffer.from("ce_kind"), Buffer.from("nonsense"));
  expect(foreign({ value: Buffer.from("{}"), headers: theirs }).envelope).toBeUndefined();
});
