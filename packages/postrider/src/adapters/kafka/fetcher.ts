import { backoffMs } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import type { FetchCall, FetchedPart, FetchPool } from "./fetch-pool.ts";
import type { FetchTarget } from "./fetch-request.ts";
import type { Topic, TopicDirectory } from "./topic-directory.ts";
import { wrapKafkaError } from "./vendor-error.ts";

/** Who says what to fetch and takes it. */
export interface FetchReader {
  /** The partitions that want more now. */
  targets(): readonly FetchTarget[];
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

const MAX_WAIT_MS = 1000; // what a broker does for those who wait for nothing costs it more than messages do, at some a second
const SHORT_WAIT_MS = 20; // of one beside it
const RETRY = { firstMs: 50, maxMs: 1000 };
const REPORT_AFTER_FAILURES = 3; // a leader that moves refuses one or two

/** What is under way to a broker, or is waited for after an error: one request that waits for long, and one beside it for partitions that came to want more meanwhile. */
interface UnderWay {
  /** From where on, by partition. */
  readonly offsets: ReadonlyMap<number, number>;
  hasSecond: boolean;
}

interface Request extends Omit<FetchCall, "topic"> {
  /** Called once the broker may be asked for the same again. */
  readonly onAnswered: () => void;
}

/**
 * Fetches for one reader: one request at a time to each broker that leads a partition of it, and for those that the request does not ask for short ones beside it until it is answered.
 *
 * Fetching by itself gives what the client's stream has not: partitions that pause one by one, seeking, a filter of aborted messages that is right, and half its cost per message.
 */
export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #busy = new Map<number, UnderWay>();
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
      const busy = this.#busy.get(node);
      if (busy === undefined) {
        this.#busy.set(node, { offsets: new Map(targets.map(({ partition, offset }) => [partition, offset])), hasSecond: false });
        void this.#fetch({ node, targets, maxWaitMs: MAX_WAIT_MS, onAnswered: () => void this.#busy.delete(node) });
        continue;
      }
      const others = busy.hasSecond ? [] : targets.filter(({ partition, offset }) => busy.offsets.get(partition) !== offset);
      if (others.length === 0) continue;
      busy.hasSecond = true;
      void this.#fetch({ node, targets: others, maxWaitMs: SHORT_WAIT_MS, onAnswered: () => void (busy.hasSecond = false) });
    }
  }

  /** Takes nothing more. */
  close(): void {
    this.#isClosed = true;
  }

  async #fetch({ onAnswered, ...request }: Request): Promise<void> {
    const { reader, pool } = this.#options;
    let isGood = false;
    try {
      const { parts, isWhole } = await pool.fetch({ topic: this.#topic.name, ...request });
      if (this.#isClosed) return;
      isGood = isWhole && parts.every(({ isGone }) => !isGone);
      if (isGood) this.#failures = 0;
      if (isGood) onAnswered(); // before they are taken: who takes them may ask for more at once
      if (parts.length > 0) reader.take(parts);
      if (!isGood) await this.#recover();
    } catch (error) {
      if (this.#isClosed) return;
      if (++this.#failures === REPORT_AFTER_FAILURES) reader.onError(wrapKafkaError(error, `reading ${this.#topic.name}`));
      await this.#recover();
    }
    if (!isGood) onAnswered();
    this.wake();
  }

  async #recover(): Promise<void> {
    const { clock, random, topics } = this.#options;
    await clock.sleep(backoffMs(RETRY, Math.max(1, this.#failures), random));
    if (this.#isClosed) return;
    const topic = await topics.ask(this.#topic.name).catch(() => undefined);
    if (topic !== undefined) this.#topic = topic;
  }
}
