import { listOf } from "../../base/list-of.ts";
import type { KafkaModule } from "./vendor.ts";
import { VarintReader } from "./varint.ts";

/** A batch of records as it is in the log. */
export interface RecordBatch {
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly attributes: number;
  readonly firstTimestampMs: number;
  readonly maxTimestampMs: number;
  readonly producerId: bigint;
  readonly count: number;
  /** Its records, decompressed when they are asked for. */
  readonly records: () => Buffer;
}

/** One record: where its parts lie, so that nothing is made of what nobody looks at. */
export interface RawRecord {
  readonly offset: number;
  readonly timestampMs: number;
  /** Whether its time is that of the broker. */
  readonly isAppendTime: boolean;
  readonly bytes: number;
  /** What its places are places in. */
  readonly buffer: Buffer;
  readonly keyAt: number;
}

const LENGTH_AT = 8;
const MAGIC_AT = 16;
const ATTRIBUTES_AT = 21;
const LAST_DELTA_AT = 23;
const FIRST_TIME_AT = 27;
const MAX_TIME_AT = 35;
const PRODUCER_AT = 43;
const COUNT_AT = 57;
const RECORDS_AT = 61;
const MAGIC = 2;
const COMPRESSION = 0b111;
const LOG_APPEND_TIME = 1 << 3;

/** The whole batches within bytes of a log; what is cut off at the end is left out. @throws for a format of before Kafka 0.11 */
export function readBatches(kafka: KafkaModule, log: Buffer): RecordBatch[] {
  const batches: RecordBatch[] = [];
  for (let at = 0; at + RECORDS_AT <= log.length;) {
    const end = at + LENGTH_AT + 4 + log.readInt32BE(at + LENGTH_AT);
    if (end > log.length) break;
    const magic = log.readInt8(at + MAGIC_AT);
    if (magic !== MAGIC) throw new Error(`a record batch of version ${magic}; version 2, of Kafka 0.11 and newer, is needed`);
    batches.push(readBatch(kafka, log.subarray(at, end)));
    at = end;
  }
  return batches;
}

/** The records of a batch from an offset on. */
export function recordsOf(batch: RecordBatch, from: number): RawRecord[] {
  const buffer = batch.records();
  const reader = new VarintReader(buffer, 0);
  const isAppendTime = (batch.attributes & LOG_APPEND_TIME) !== 0;
  const found = listOf<RawRecord>();
  for (let left = batch.count; left > 0; left--) {
    const bytes = reader.next();
    const end = reader.at + bytes;
    reader.at++; // attributes: none are in use
    const timeDelta = reader.nextLong();
    const offset = batch.firstOffset + reader.next();
    const timestampMs = isAppendTime ? batch.maxTimestampMs : batch.firstTimestampMs + timeDelta;
    if (offset >= from) found.push({ offset, timestampMs, isAppendTime, bytes, buffer, keyAt: reader.at });
    reader.at = end;
  }
  return found;
}

function readBatch(kafka: KafkaModule, bytes: Buffer): RecordBatch {
  const firstOffset = Number(bytes.readBigInt64BE(0));
  const attributes = bytes.readInt16BE(ATTRIBUTES_AT);
  return {
    firstOffset,
    lastOffset: firstOffset + bytes.readInt32BE(LAST_DELTA_AT),
    attributes,
    firstTimestampMs: Number(bytes.readBigInt64BE(FIRST_TIME_AT)),
    maxTimestampMs: Number(bytes.readBigInt64BE(MAX_TIME_AT)),
    producerId: bytes.readBigInt64BE(PRODUCER_AT),
    count: bytes.readInt32BE(COUNT_AT),
    records: () => decompressed(kafka, bytes.subarray(RECORDS_AT), attributes & COMPRESSION),
  };
}

function decompressed(kafka: KafkaModule, bytes: Buffer, kind: number): Buffer {
  if (kind === 0) return bytes;
  const algorithm = kafka.compressionsAlgorithmsByBitmask[kind];
  if (algorithm === undefined) throw new Error(`a record batch with the unknown compression ${kind}`);
  return algorithm.decompressSync(bytes);
}
