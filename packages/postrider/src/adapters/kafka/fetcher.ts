import { backoffMs } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import { committedBatches } from "./aborted.ts";
import { readBatches, recordsOf } from "./batch-reader.ts";
import type { RawRecord } from "./batch-reader.ts";
import { BrokerLink } from "./broker-link.ts";
import { FETCH, FETCH_VERSION, fetchRequest, readFetched } from "./fetch-request.ts";
import type { FetchedPartition, FetchTarget } from "./fetch-request.ts";
import type { Topic, TopicDirectory } from "./topic-directory.ts";
import { clientBase } from "./vendor.ts";
import type { KafkaConnection, KafkaModule, VendorAdmin } from "./vendor.ts";
import { KAFKA_CODES, wrapKafkaError } from "./vendor-error.ts";

/** What a fetch brought for one partition. */
export interface FetchedPart {
  readonly partition: number;
  /** Where the fetch began: what came is for nobody if the lane has moved since. */
  readonly from: number;
  readonly records: readonly RawRecord[];
  /** The offset to go on from. */
  readonly next: number;
  /** The end of what readers may see. */
  readonly end: number;
  /** Whether the broker does not have what was asked for: it has been deleted. */
  readonly isGone: boolean;
}

/** Who says what to fetch and takes it. */
export interface FetchReader {
  /** The partitions that want more now. */
  targets(): readonly FetchTarget[];
  /** Whether there are partitions that want nothing now and may in a moment. */
  isHoldingBack(): boolean;
  take(parts: readonly FetchedPart[]): void;
  onError(error: PostriderError): void;
}

/** What a fetcher is made with. */
export interface FetcherOptions {
  readonly connection: KafkaConnection;
  readonly clock: Clock;
  readonly random: Random;
  readonly topics: TopicDirectory;
  readonly topic: Topic;
  readonly reader: FetchReader;
  readonly maxPartitionBytes: number;
}

const MAX_WAIT_MS = 250; // a partition that is assigned while a fetch waits joins the next one
const SHORT_WAIT_MS = 20;
const MAX_BYTES = 8 * 1024 * 1024;
const RETRY = { firstMs: 50, maxMs: 1000 };
const REPORT_AFTER_FAILURES = 3; // a leader that moves refuses one or two

/**
 * Fetches for one reader: one request at a time to each broker that leads a partition of it, over connections of its own, so that nothing else waits behind a long poll.
 *
 * Fetching by itself gives what the client's stream has not: partitions that pause one by one, seeking, a filter of aborted messages that is right, and half its cost per message.
 */
export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #kafka: KafkaModule;
  readonly #client: VendorAdmin;
  readonly #link: BrokerLink;
  /** Brokers with a request under way, or that are waited for after an error. */
  readonly #busy = new Set<number>();
  #topic: Topic;
  #failures = 0;
  #isClosed = false;

  constructor(kafka: KafkaModule, options: FetcherOptions) {
    this.#options = options;
    this.#kafka = kafka;
    this.#topic = options.topic;
    // It does not retry by itself: what is asked for may have changed by then.
    this.#client = new kafka.Admin({ ...clientBase(options.connection), retries: 0 });
    this.#client.on("error", () => undefined); // each fetch has its own outcome
    this.#link = new BrokerLink(kafka, this.#client);
  }

  /** Something may have become wanted. */
  wake(): void {
    if (this.#isClosed) return;
    const byLeader = Map.groupBy(this.#options.reader.targets(), ({ partition }) => this.#topic.leaders[partition] ?? -1);
    for (const [node, targets] of byLeader) {
      if (this.#busy.has(node)) continue;
      this.#busy.add(node);
      void this.#fetch(node, targets).then(() => {
        this.#busy.delete(node);
        this.wake();
      });
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#client.close().catch(() => undefined);
  }

  async #fetch(node: number, targets: readonly FetchTarget[]): Promise<void> {
    const { reader, maxPartitionBytes } = this.#options;
    const maxWaitMs = reader.isHoldingBack() ? SHORT_WAIT_MS : MAX_WAIT_MS;
    const payload = [fetchRequest(this.#topic.name, targets, { maxWaitMs, maxBytes: MAX_BYTES, maxPartitionBytes })];
    try {
      const answer = await this.#link.request(node, { apiKey: FETCH, apiVersion: FETCH_VERSION, payload, read: readFetched });
      if (this.#isClosed) return;
      const isWhole = this.#take(answer, targets);
      if (isWhole) this.#failures = 0;
      else await this.#recover();
    } catch (error) {
      if (this.#isClosed) return;
      if (++this.#failures === REPORT_AFTER_FAILURES) reader.onError(wrapKafkaError(error, `reading ${this.#topic.name}`));
      await this.#recover();
    }
  }

  /** Hands over what is good. Whether all of it was. */
  #take(answer: readonly FetchedPartition[], targets: readonly FetchTarget[]): boolean {
    const offsets = new Map(targets.map(({ partition, offset }) => [partition, offset]));
    const parts: FetchedPart[] = [];
    let isWhole = true;
    for (const found of answer) {
      const from = offsets.get(found.partition);
      if (from === undefined) continue;
      if (found.errorCode === KAFKA_CODES.NONE) parts.push(this.#partOf(found, from));
      else if (found.errorCode === KAFKA_CODES.OFFSET_OUT_OF_RANGE)
        parts.push({ partition: found.partition, from, records: [], next: from, end: 0, isGone: true });
      else isWhole = false; // its leader has moved, as a rule
    }
    if (parts.length > 0) this.#options.reader.take(parts);
    return isWhole && parts.every(({ isGone }) => !isGone);
  }

  #partOf({ partition, records, aborted, lastStable }: FetchedPartition, from: number): FetchedPart {
    const batches = readBatches(this.#kafka, records);
    const visible = committedBatches(batches, aborted);
    const found = visible.length === 1 ? recordsOf(visible[0]!, from) : visible.flatMap((batch) => recordsOf(batch, from));
    const last = batches.at(-1);
    return { partition, from, records: found, next: last === undefined ? from : last.lastOffset + 1, end: lastStable, isGone: false };
  }

  async #recover(): Promise<void> {
    const { clock, random, topics } = this.#options;
    await clock.sleep(backoffMs(RETRY, Math.max(1, this.#failures), random));
    if (this.#isClosed) return;
    const topic = await topics.ask(this.#topic.name).catch(() => undefined);
    if (topic !== undefined) this.#topic = topic;
  }
}
