import type { Reader } from "@platformatic/kafka";

/** A batch for one partition. */
export interface BatchToProduce {
  readonly topic: string;
  readonly partition: number;
  readonly batch: Buffer;
}

/** The broker's answer for one partition. */
export interface ProducedPart {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
}

/** The request's number in the protocol. */
export const PRODUCE = 0;
/** The version that is written here: the last with fixed-length fields, which all brokers since 2.1 take. */
export const PRODUCE_VERSION = 7;

const ACKS_ALL = -1;
const NO_TRANSACTION = -1;

/** A request that writes batches, confirmed by all in-sync replicas. */
export function produceRequest(batches: readonly BatchToProduce[], timeoutMs: number): Buffer[] {
  const byTopic = Map.groupBy(batches, ({ topic }) => topic);
  const parts: Buffer[] = [];
  const head = Buffer.allocUnsafe(12);
  head.writeInt16BE(NO_TRANSACTION, 0);
  head.writeInt16BE(ACKS_ALL, 2);
  head.writeInt32BE(timeoutMs, 4);
  head.writeInt32BE(byTopic.size, 8);
  parts.push(head);
  for (const [topic, ofTopic] of byTopic) {
    const name = Buffer.from(topic);
    const topicHead = Buffer.allocUnsafe(6 + name.length);
    topicHead.writeInt16BE(name.length, 0);
    name.copy(topicHead, 2);
    topicHead.writeInt32BE(ofTopic.length, 2 + name.length);
    parts.push(topicHead);
    for (const { partition, batch } of ofTopic) {
      const partHead = Buffer.allocUnsafe(8);
      partHead.writeInt32BE(partition, 0);
      partHead.writeInt32BE(batch.length, 4);
      parts.push(partHead, batch);
    }
  }
  return parts;
}

/** The outcome of each partition. */
export function readProduced(reader: Reader): ProducedPart[] {
  const found: ProducedPart[] = [];
  for (let topics = reader.readInt32(); topics > 0; topics--) {
    const topic = reader.readString(false);
    for (let partitions = reader.readInt32(); partitions > 0; partitions--) {
      const partition = reader.readInt32();
      const errorCode = reader.readInt16();
      reader.skip(24); // base offset, time of the append, start of the log
      found.push({ topic, partition, errorCode });
    }
  }
  return found;
}
