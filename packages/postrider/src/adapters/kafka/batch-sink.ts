import type { Clock } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import type { BatchSink } from "./accumulator.ts";
import { signBatch, writeBatch } from "./batch-writer.ts";
import type { KafkaCompression } from "./batch-writer.ts";
import { BrokerLink } from "./broker-link.ts";
import { partName } from "./part-queue.ts";
import type { PartQueue, ProducerIdentity } from "./part-queue.ts";
import { PRODUCE, PRODUCE_VERSION, produceRequest, readProduced } from "./produce-request.ts";
import type { TopicDirectory } from "./topic-directory.ts";
import type { KafkaModule, VendorProducer } from "./vendor.ts";

const REPLICAS_WITHIN_MS = 10_000;

/** Writes batches to brokers under an identity that lets them know repetitions. */
export class KafkaBatchSink implements BatchSink {
  readonly #kafka: KafkaModule;
  readonly #client: VendorProducer;
  readonly #link: BrokerLink;
  readonly #topics: TopicDirectory;
  readonly #clock: Clock;
  readonly #compression: KafkaCompression;
  #identity: Promise<ProducerIdentity> | undefined;

  constructor(
    kafka: KafkaModule,
    client: VendorProducer,
    options: { readonly topics: TopicDirectory; readonly clock: Clock; readonly compression: KafkaCompression },
  ) {
    this.#kafka = kafka;
    this.#client = client;
    this.#link = new BrokerLink(kafka, client);
    this.#topics = options.topics;
    this.#clock = options.clock;
    this.#compression = options.compression;
  }

  leaderOf(topic: string, partition: number): number {
    return this.#topics.peek(topic)?.leaders[partition] ?? -1;
  }

  async write(node: number, parts: readonly PartQueue[]): Promise<ReadonlyMap<string, number>> {
    if (node < 0) throw fail("PR_TRANSPORT_FAILED", { transport: "kafka", during: "send", detail: `${parts[0]!.name} has no leader` });
    const identity = await this.#currentIdentity();
    const nowMs = this.#clock.now();
    const batches = parts.map((part) => ({
      topic: part.topic,
      partition: part.partition,
      batch: part.bytes(
        identity,
        (records) => writeBatch(this.#kafka, records, { nowMs, compression: this.#compression }),
        (batch, signature) => signBatch(this.#kafka, batch, signature),
      ),
    }));
    const payload = produceRequest(batches, REPLICAS_WITHIN_MS);
    const answers = await this.#link.request(node, { apiKey: PRODUCE, apiVersion: PRODUCE_VERSION, payload, read: readProduced });
    return new Map(answers.map(({ topic, partition, errorCode }) => [partName(topic, partition), errorCode]));
  }

  refresh(topic: string): void {
    void this.#topics.ask(topic).catch(() => undefined); // the next try finds out
  }

  renewIdentity(): void {
    this.#identity = undefined;
  }

  async #currentIdentity(): Promise<ProducerIdentity> {
    this.#identity ??= this.#client.initIdempotentProducer({}).then(({ producerId, producerEpoch }) => ({ producerId, producerEpoch }));
    try {
      return await this.#identity;
    } catch (error) {
      this.#identity = undefined;
      throw error;
    }
  }
}
