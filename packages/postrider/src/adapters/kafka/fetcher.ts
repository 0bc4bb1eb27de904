import { backoffMs } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import type { FetchedPart, FetchPool } from "./fetch-pool.ts";
import type { FetchTarget } from "./fetch-request.ts";
import type { Topic, TopicDirectory } from "./topic-directory.ts";
import { wrapKafkaError } from "./vendor-error.ts";

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
  readonly clock: Clock;
  readonly random: Random;
  readonly pool: FetchPool;
  readonly topics: TopicDirectory;
  readonly topic: Topic;
  readonly reader: FetchReader;
}

const MAX_WAIT_MS = 250; // a partition that is assigned while a fetch waits joins the next one
const SHORT_WAIT_MS = 20;
const RETRY = { firstMs: 50, maxMs: 1000 };
const REPORT_AFTER_FAILURES = 3; // a leader that moves refuses one or two

/**
 * Fetches for one reader: one request at a time to each broker that leads a partition of it.
 *
 * Fetching by itself gives what the client's stream has not: partitions that pause one by one, seeking, a filter of aborted messages that is right, and half its cost per message.
 */
export class Fetcher {
  readonly #options: FetcherOptions;
  /** Brokers with a request under way, or that are waited for after an error. */
  readonly #busy = new Set<number>();
  #topic: Topic;
  #failures = 0;
  #isClosed = false;

  constructor(options: FetcherOptions) {
    this.#options = options;
    this.#topic = options.topic;
  }

  /** Something may have become wanted. */
  wake(): void {
    if (this.#isClosed) return;
    const byLeader = Map.groupBy(this.#options.reader.targets(), ({ partition }) => this.#topic.leaders[partition] ?? -1);
    for (const [node, targets] of byLeader) {
      if (this.#busy.has(node)) continue;
      this.#busy.add(node);
      void this.#fetch(node, targets);
    }
  }

  /** Takes nothing more. */
  close(): void {
    this.#isClosed = true;
  }

  async #fetch(node: number, targets: readonly FetchTarget[]): Promise<void> {
    const { reader, pool } = this.#options;
    const maxWaitMs = reader.isHoldingBack() ? SHORT_WAIT_MS : MAX_WAIT_MS;
    let isGood = false;
    try {
      const { parts, isWhole } = await pool.fetch({ topic: this.#topic.name, node, targets, maxWaitMs });
      if (this.#isClosed) return;
      isGood = isWhole && parts.every(({ isGone }) => !isGone);
      // Before they are taken: who takes them may ask for more at once.
      if (isGood) this.#answered(node);
      if (parts.length > 0) reader.take(parts);
      if (!isGood) await this.#recover();
    } catch (error) {
      if (this.#isClosed) return;
      if (++this.#failures === REPORT_AFTER_FAILURES) reader.onError(wrapKafkaError(error, `reading ${this.#topic.name}`));
      await this.#recover();
    }
    if (!isGood) this.#busy.delete(node);
    this.wake();
  }

  #answered(node: number): void {
    this.#failures = 0;
    this.#busy.delete(node);
  }

  async #recover(): Promise<void> {
    const { clock, random, topics } = this.#options;
    await clock.sleep(backoffMs(RETRY, Math.max(1, this.#failures), random));
    if (this.#isClosed) return;
    const topic = await topics.ask(this.#topic.name).catch(() => undefined);
    if (topic !== undefined) this.#topic = topic;
  }
}
