import type { Clock } from "../../base/clock.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import { Fetcher } from "./fetcher.ts";
import type { FetchTarget } from "./fetch-request.ts";
import type { FetchReader } from "./fetcher.ts";
import type { FetchedPart, FetchPool } from "./fetch-pool.ts";
import type { RawRecord } from "./batch-reader.ts";
import type { Topic, TopicDirectory } from "./topic-directory.ts";

/** What a reader outside any group needs. */
export interface PartitionReaderOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly topics: TopicDirectory;
  readonly pool: FetchPool;
  readonly topic: Topic;
  /** The offset of each partition to begin with. */
  readonly starts: ReadonlyMap<number, number>;
  readonly onRecords: (partition: number, records: readonly RawRecord[], next: number) => void;
  readonly onGone: (partition: number) => void;
  readonly onError: (error: PostriderError) => void;
}

/** Reads partitions outside any group, from given offsets on, as fast as it may. */
export class PartitionReader implements FetchReader {
  readonly #options: PartitionReaderOptions;
  readonly #next: Map<number, number>;
  readonly #fetcher: Fetcher;
  #isPaused = false;

  constructor(options: PartitionReaderOptions) {
    this.#options = options;
    this.#next = new Map(options.starts);
    this.#fetcher = new Fetcher({ ...options, reader: this });
    this.#fetcher.wake();
  }

  targets(): readonly FetchTarget[] {
    return this.#isPaused ? [] : [...this.#next].map(([partition, offset]) => ({ partition, offset }));
  }

  take(parts: readonly FetchedPart[]): void {
    for (const { partition, from, next, records, isGone } of parts) {
      if (this.#next.get(partition) !== from) continue;
      if (isGone) this.#options.onGone(partition);
      else {
        this.#next.set(partition, next);
        this.#options.onRecords(partition, records, next);
      }
    }
  }

  onError(error: PostriderError): void {
    this.#options.onError(error);
  }

  /** Reads this partition no more. */
  drop(partition: number): void {
    this.#next.delete(partition);
  }

  pause(isPaused: boolean): void {
    this.#isPaused = isPaused;
    if (!isPaused) this.#fetcher.wake();
  }

  close(): void {
    this.#fetcher.close();
  }
}
