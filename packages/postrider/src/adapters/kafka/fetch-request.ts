import type { Reader } from "@platformatic/kafka";

/** A partition to fetch from. */
export interface FetchTarget {
  readonly partition: number;
  readonly offset: number;
}

/** What a fetch may bring and how long it may wait. */
export interface FetchLimits {
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  readonly maxPartitionBytes: number;
}

/** A transaction that was aborted, as the broker lists it beside the records. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

/** The broker's answer for one partition. */
export interface FetchedPartition {
  readonly partition: number;
  readonly errorCode: number;
  /** The end of what readers of committed messages may see. */
  readonly lastStable: number;
  readonly aborted: readonly AbortedTransaction[];
  /** Record batches as they are in the log; the last may be cut off. */
  readonly records: Buffer;
}

/** The request's number in the protocol. */
export const FETCH = 1;
/** The version that is written here: the last with fixed-length fields and topics by name, which all brokers since 2.3 take. */
export const FETCH_VERSION = 11;

const NO_REPLICA = -1;
const MIN_BYTES = 1;
const READ_COMMITTED = 1;
const NO_SESSION = 0;
const NO_SESSION_EPOCH = -1;
const NONE = Buffer.alloc(0);

/** A request for what is committed in partitions of one topic. */
export function fetchRequest(topic: string, targets: readonly FetchTarget[], limits: FetchLimits): Buffer {
  const name = Buffer.from(topic);
  const bytes = Buffer.allocUnsafe(35 + name.length + 28 * targets.length + 6);
  let at = bytes.writeInt32BE(NO_REPLICA, 0);
  at = bytes.writeInt32BE(limits.maxWaitMs, at);
  at = bytes.writeInt32BE(MIN_BYTES, at);
  at = bytes.writeInt32BE(limits.maxBytes, at);
  at = bytes.writeInt8(READ_COMMITTED, at);
  at = bytes.writeInt32BE(NO_SESSION, at);
  at = bytes.writeInt32BE(NO_SESSION_EPOCH, at);
  at = bytes.writeInt32BE(1, at); // topics
  at = bytes.writeInt16BE(name.length, at);
  at += name.copy(bytes, at);
  at = bytes.writeInt32BE(targets.length, at);
  for (const { partition, offset } of targets) {
    at = bytes.writeInt32BE(partition, at);
    at = bytes.writeInt32BE(-1, at); // leader's epoch: whatever it is
    at = bytes.writeBigInt64BE(BigInt(offset), at);
    at = bytes.writeBigInt64BE(-1n, at); // a follower's start of its log
    at = bytes.writeInt32BE(limits.maxPartitionBytes, at);
  }
  at = bytes.writeInt32BE(0, at); // topics forgotten by a session
  at = bytes.writeInt16BE(0, at); // rack
  return bytes.subarray(0, at);
}

/** What came, by partition. @throws where the whole request was refused */
export function readFetched(reader: Reader): FetchedPartition[] {
  reader.skip(4); // throttle time: the broker holds the next answer back by itself
  const errorCode = reader.readInt16();
  if (errorCode !== 0) throw new Error(`the broker refused a fetch (Kafka code ${errorCode})`);
  reader.skip(4); // session
  const whole = reader.buffer.buffer;
  const found: FetchedPartition[] = [];
  for (let topics = reader.readInt32(); topics > 0; topics--) {
    reader.readString(false);
    for (let partitions = reader.readInt32(); partitions > 0; partitions--) found.push(partitionOf(reader, whole));
  }
  return found;
}

function partitionOf(reader: Reader, whole: Buffer): FetchedPartition {
  const partition = reader.readInt32();
  const errorCode = reader.readInt16();
  reader.skip(8); // high watermark
  const lastStable = Number(reader.readInt64());
  reader.skip(8); // start of the log
  const aborted: AbortedTransaction[] = [];
  for (let count = reader.readInt32(); count > 0; count--)
    aborted.push({ producerId: reader.readInt64(), firstOffset: Number(reader.readInt64()) });
  reader.skip(4); // preferred replica
  const length = reader.readInt32();
  const records = length > 0 ? whole.subarray(reader.position, reader.position + length) : NONE;
  if (length > 0) reader.skip(length);
  return { partition, errorCode, lastStable, aborted, records };
}
