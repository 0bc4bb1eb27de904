import { expect, test } from "vitest";
import { NO_HEADERS } from "../../envelope/envelope.ts";
import type { Headers } from "../../envelope/envelope.ts";
import type { DeadLetter } from "../../ports/dead-letters.ts";
import { parseLetterAddress } from "./letter-address.ts";
import { KafkaLetterCopies } from "./letter-copies.ts";
import { encodeLetter } from "./letter-record.ts";
import { murmur2, partitionOf } from "./murmur2.ts";
import { withOrigin } from "./origin.ts";
import { decodeRecord } from "./record-reader.ts";
import type { DecodedRecord } from "./record-reader.ts";
import { RecordWriter } from "./record-writer.ts";

const groupOf = (service: string, destination: string): string => `${service}.${destination}`;
const spring = new KafkaLetterCopies({ form: "spring", topicOf: undefined, groupOf });
const dlq = new KafkaLetterCopies({ form: "dlq", topicOf: undefined, groupOf });
const ENVELOPE = {
  id: "m-1",
  source: "/ordering",
  type: "order.placed",
  kind: "event",
  contractversion: 1,
  time: "2026-01-01T00:00:00.000Z",
  partitionkey: "o-1",
} as const;

function letterOf(change: Partial<DeadLetter>): DeadLetter {
  return {
    id: "l-1",
    service: "mailing",
    list: "failed",
    contract: "order.placed",
    messageId: "m-1",
    destination: "order.events",
    lane: 2,
    key: "o-1",
    isOrdered: false,
    envelope: ENVELOPE,
    headers: NO_HEADERS,
    body: '{"at":1}',
    code: "NO_STOCK",
    reason: "no stock",
    stack: undefined,
    fingerprint: "f",
    attempts: 3,
    at: 1_770_000_000_000,
    redrives: 0,
    ...change,
  };
}

/** The headers of a message that was read at offset 258 of partition 2. */
function headersOf(decoded: Partial<DecodedRecord>): Headers {
  const found: DecodedRecord = { envelope: undefined, headers: NO_HEADERS, body: "", mayRepeat: true, ...decoded };
  const record = { offset: 258, timestampMs: 1_770_000_000_001, isAppendTime: false, bytes: 1, buffer: Buffer.alloc(0), keyAt: 0 };
  return withOrigin(found, record, 2).headers;
}

/** What a reader of the topic finds, and the record's own bytes of key and value. */
function written(copies: KafkaLetterCopies, letter: DeadLetter, partitions = 3) {
  const copy = copies.copyOf(letter, "events");
  const { record, partition } = encodeLetter(new RecordWriter(), copy, partitions);
  return { topic: parseLetterAddress(copy.destination), partition, record, found: decodeRecord({ buffer: record, keyAt: 0 }) };
}

const hex = (value: string | Uint8Array | undefined): string => Buffer.from(value ?? "").toString("hex");

test("Spring's numbers are big-endian: four bytes of partition, eight of offset and time", () => {
  const { topic, partition, found } = written(spring, letterOf({ headers: headersOf({ envelope: ENVELOPE }) }));
  expect({ topic, partition }).toEqual({ topic: "order.events-dlt", partition: 2 });
  expect(found).toMatchObject({ envelope: ENVELOPE, body: '{"at":1}' });
  expect(Object.fromEntries(Object.entries(found.headers).map(([name, value]) => [name.replace("kafka_dlt-", ""), hex(value)]))).toEqual({
    "exception-fqcn": hex("NO_STOCK"),
    "exception-cause-fqcn": hex("NO_STOCK"),
    "exception-message": hex("no stock"),
    "exception-stacktrace": hex("no stock"),
    "original-topic": hex("order.events"),
    "original-partition": "00000002",
    "original-offset": "0000000000000102",
    "original-timestamp": "0000019c1c38a401",
    "original-timestamp-type": hex("CreateTime"),
    "original-consumer-group": hex("mailing.order.events"),
  });
});

test("what is not known is left out: a letter from before copies were asked for has no offset", () => {
  const { found } = written(spring, letterOf({}));
  expect(Object.keys(found.headers)).not.toContain("kafka_dlt-original-offset");
  expect(hex(found.headers["kafka_dlt-original-partition"])).toBe("00000002");
});

test("a foreign message keeps its key, its bytes and its headers, whatever its mapping made of it", () => {
  const key = new Uint8Array([0xff, 0x00]);
  const body = new Uint8Array([0xfe, 0x01]);
  const headers = headersOf({ headers: { "kafka-key": key, "event-type": "order.placed" } });
  const { found, partition } = written(dlq, letterOf({ headers, body }));
  expect(partition).toBe(2);
  expect(found).toMatchObject({ envelope: undefined, body });
  expect(found.headers).toMatchObject({ "kafka-key": key, "event-type": "order.placed", "postrider-failed-offset": "258" });
  expect(Object.keys(found.headers).filter((name) => /^(ce_|pr-|kafka-)/.test(name))).toEqual(["kafka-key"]);
});

test("a tombstone stays one, and a message without a key stays without", () => {
  const headers = headersOf({ headers: { "kafka-tombstone": "true" } });
  const { record, found } = written(dlq, letterOf({ headers, body: "", envelope: undefined }));
  expect([...record.subarray(0, 2)]).toEqual([1, 1]); // -1, as Kafka writes it
  expect(found.headers).toMatchObject({ "kafka-tombstone": "true" });
});

test("where the other topic has no such partition, the key says which", () => {
  const own = written(dlq, letterOf({ headers: headersOf({ envelope: ENVELOPE }) }), 2);
  expect(own.partition).toBe(partitionOf(Buffer.from("o-1"), 2));
  const foreign = written(dlq, letterOf({ headers: headersOf({ headers: { "kafka-key": "k" } }) }), 2);
  expect(foreign.partition).toBe((murmur2(Buffer.from("k")) & 0x7fffffff) % 2);
});

test("the outbox knows by a copy's destination who carries it, and nobody else takes it for a topic", () => {
  const { destination } = dlq.copyOf(letterOf({ destination: "old-topic" }), "events");
  expect(destination).toMatch(/\.events$/);
  expect(parseLetterAddress(destination)).toBe("old-topic.dlq");
  expect(parseLetterAddress("order.events")).toBeUndefined();
});

test("a topic's dead letters may go elsewhere, but not back to itself", () => {
  const named = (name: string): KafkaLetterCopies => new KafkaLetterCopies({ form: "spring", topicOf: () => name, groupOf });
  expect(named("order.DLT").destinationOf("order.events")).toBe("order.DLT");
  expect(() => named("order.events").destinationOf("order.events")).toThrow(/PR_CONFIG_INVALID/);
});
