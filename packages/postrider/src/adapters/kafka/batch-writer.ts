import type { KafkaModule } from "./vendor.ts";
import { varintBytes, writeVarint } from "./varint.ts";

/** Who writes a batch, and which of its batches of this partition it is: what brokers know repetitions by. */
export interface BatchIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly sequence: number;
}

/** How bodies are compressed on the wire and on the brokers' disks. */
export type KafkaCompression = "none" | "gzip" | "snappy" | "lz4" | "zstd";

// The layout of a record batch, version 2, from Kafka's DefaultRecordBatch.java.
const LENGTH_AT = 8;
const LEADER_EPOCH_AT = 12;
const MAGIC_AT = 16;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const LAST_DELTA_AT = 23;
const FIRST_TIME_AT = 27;
const MAX_TIME_AT = 35;
const PRODUCER_AT = 43;
const PRODUCER_EPOCH_AT = 51;
const SEQUENCE_AT = 53;
const COUNT_AT = 57;
const RECORDS_AT = 61;
const MAGIC = 2;
const RECORD_FRONT_BYTES = 2; // attributes and the delta of the time, both 0
const MAX_RECORD_FRONT_BYTES = 12;

/** What a batch of these records takes at most, without compression. */
export function batchBytes(records: readonly Buffer[]): number {
  let bytes = RECORDS_AT;
  for (const record of records) bytes += MAX_RECORD_FRONT_BYTES + record.length;
  return bytes;
}

/** What one more record adds to a batch, at most. */
export function recordBytes(record: Buffer): number {
  return MAX_RECORD_FRONT_BYTES + record.length;
}

/** Writes a batch of records, all of one time: the client's own writes times that lie far apart wrong. */
export function writeBatch(
  kafka: KafkaModule,
  records: readonly Buffer[],
  options: { readonly nowMs: number; readonly compression: KafkaCompression },
): Buffer {
  const whole = Buffer.allocUnsafe(batchBytes(records));
  const end = writeRecords(whole, records);
  const { nowMs, compression } = options;
  const algorithm = compression === "none" ? undefined : kafka.compressionsAlgorithms[compression];
  let batch = whole.subarray(0, end);
  if (algorithm !== undefined)
    batch = Buffer.concat([whole.subarray(0, RECORDS_AT), algorithm.compressSync(whole.subarray(RECORDS_AT, end))]);
  batch.writeBigInt64BE(0n, 0);
  batch.writeInt32BE(batch.length - LEADER_EPOCH_AT, LENGTH_AT);
  batch.writeInt32BE(-1, LEADER_EPOCH_AT);
  batch.writeInt8(MAGIC, MAGIC_AT);
  batch.writeInt16BE(algorithm?.bitmask ?? 0, ATTRIBUTES_AT);
  batch.writeInt32BE(records.length - 1, LAST_DELTA_AT);
  batch.writeBigInt64BE(BigInt(nowMs), FIRST_TIME_AT);
  batch.writeBigInt64BE(BigInt(nowMs), MAX_TIME_AT);
  batch.writeInt32BE(records.length, COUNT_AT);
  return batch;
}

/** Writes who sends a batch into it, and its checksum: the same batch sent again under the same identity is known by the broker. */
export function signBatch(kafka: KafkaModule, batch: Buffer, { producerId, producerEpoch, sequence }: BatchIdentity): void {
  batch.writeBigInt64BE(producerId, PRODUCER_AT);
  batch.writeInt16BE(producerEpoch, PRODUCER_EPOCH_AT);
  batch.writeInt32BE(sequence, SEQUENCE_AT);
  // As a dynamic buffer: of a plain one the client makes a copy first.
  batch.writeUInt32BE(kafka.crc32c(kafka.Writer.create().append(batch.subarray(ATTRIBUTES_AT)).dynamicBuffer), CRC_AT);
}

function writeRecords(into: Buffer, records: readonly Buffer[]): number {
  let at = RECORDS_AT;
  for (let delta = 0; delta < records.length; delta++) {
    const record = records[delta]!;
    at = writeVarint(into, RECORD_FRONT_BYTES + varintBytes(delta) + record.length, at);
    into[at++] = 0;
    into[at++] = 0;
    at = writeVarint(into, delta, at);
    into.set(record, at);
    at += record.length;
  }
  return at;
}
