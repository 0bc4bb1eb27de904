import { Fifo } from "../../base/fifo.ts";
import { listOf } from "../../base/list-of.ts";
import { recordBytes } from "./batch-writer.ts";
import type { BatchIdentity } from "./batch-writer.ts";
import type { SendCall } from "./send-call.ts";

/** A message in the queue of its partition. */
export interface Waiting {
  readonly record: Buffer;
  /** The contract, for errors. */
  readonly type: string;
  /** Whose message it is, and its place there. */
  readonly call: SendCall;
  readonly at: number;
}

/** Who a producer is, for the brokers. */
export type ProducerIdentity = Omit<BatchIdentity, "sequence">;

const NONE: readonly never[] = [];
const MAX_SEQUENCE = 0x7fffffff;

/**
 * What waits to be written to one partition, and the batch of it that is on its way.
 *
 * A batch keeps its bytes, its producer and its sequence however often it is sent, so that the broker knows it again; the next one is made when it is settled.
 */
export class PartQueue {
  readonly name: string;
  readonly topic: string;
  readonly partition: number;
  /** What is on its way; empty between batches. */
  batch: readonly Waiting[] = NONE;
  batchBytes = 0;
  /** How often the batch has failed. */
  failures = 0;
  #encoded: Buffer | undefined;
  #identity: ProducerIdentity | undefined;
  #isSigned = false;
  #sequence = 0;
  readonly #items = new Fifo<Waiting>();
  /** How many must still go alone, because one of them was refused. */
  #aloneLeft = 0;

  constructor(topic: string, partition: number) {
    this.name = partName(topic, partition);
    this.topic = topic;
    this.partition = partition;
  }

  get isBusy(): boolean {
    return this.batch.length > 0;
  }

  push(waiting: Waiting): void {
    this.#items.push(waiting);
  }

  /** Makes the next batch unless one is on its way already; what is past its deadline is left out. */
  take(maxCount: number, maxBytes: number): void {
    if (this.isBusy) return;
    const limit = this.#aloneLeft > 0 ? 1 : maxCount;
    const batch = listOf<Waiting>();
    this.batchBytes = 0;
    for (let next = this.#items.at(0); next !== undefined && batch.length < limit; next = this.#items.at(0)) {
      const bytes = recordBytes(next.record);
      if (batch.length > 0 && this.batchBytes + bytes > maxBytes) break;
      this.#items.shift();
      if (this.#aloneLeft > 0) this.#aloneLeft--;
      if (!next.call.isOpen(next.at)) continue;
      batch.push(next);
      this.batchBytes += bytes;
    }
    this.batch = batch;
  }

  /** The batch's bytes, made and signed the first time. */
  bytes(
    identity: ProducerIdentity,
    encode: (records: readonly Buffer[]) => Buffer,
    sign: (batch: Buffer, identity: BatchIdentity) => void,
  ): Buffer {
    this.#encoded ??= encode(this.batch.map(({ record }) => record));
    if (!this.#isSigned) {
      if (this.#identity?.producerId !== identity.producerId) this.#sequence = 0;
      this.#identity = identity;
      this.#isSigned = true;
      sign(this.#encoded, { ...identity, sequence: this.#sequence });
    }
    return this.#encoded;
  }

  /** The broker does not know its producer any more, and has not written it: it goes again as another one's. */
  unsign(): void {
    this.#isSigned = false;
    this.#identity = undefined;
  }

  /** The batch is settled. Whether there is more. */
  end(isWritten: boolean): boolean {
    if (isWritten) this.#sequence = (this.#sequence + this.batch.length) & MAX_SEQUENCE;
    this.#forget();
    return this.#items.length > 0;
  }

  /** Puts the batch back to the front, to go one by one. */
  splitBatch(): void {
    for (const waiting of this.batch.toReversed()) this.#items.unshift(waiting);
    this.#aloneLeft = Math.max(this.#aloneLeft, this.batch.length);
    this.#forget();
  }

  #forget(): void {
    this.batch = NONE;
    this.failures = 0;
    this.#encoded = undefined;
    this.#isSigned = false;
  }
}

/** The name of a partition within this adapter. */
export function partName(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}
