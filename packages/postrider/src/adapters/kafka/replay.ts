import { isoTime } from "../../envelope/iso-time.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { ReadMessage, ReadRange } from "../../ports/transport.ts";
import { EARLIEST, LATEST, offsetsAt } from "./offsets.ts";
import { PartitionReader } from "./partition-reader.ts";
import type { PartitionReaderOptions } from "./partition-reader.ts";
import type { RawRecord } from "./batch-reader.ts";
import type { VendorAdmin } from "./vendor.ts";
import { wrapKafkaError } from "./vendor-error.ts";
import { decodeRecord } from "./record-reader.ts";

/** What a replay needs. */
export interface ReplayOptions extends Pick<PartitionReaderOptions, "clock" | "random" | "topics" | "pool" | "topic"> {
  readonly admin: VendorAdmin;
  readonly range: ReadRange;
}

interface Found {
  readonly partition: number;
  readonly record: RawRecord;
}

const PAUSE_AT_BYTES = 8 * 1024 * 1024;

/**
 * Reads old messages with a throw-away reader that joins no group and commits nothing.
 *
 * Order: per lane. Bounds: every lane from the given place to the given place, or to where it ended at the call; positions count per lane.
 */
export async function* replay(options: ReplayOptions): AsyncGenerator<ReadMessage> {
  const run = await Replay.start(options);
  try {
    for (let found = await run.next(); found !== undefined; found = await run.next()) {
      for (const { partition, record } of found) yield readMessage(partition, record);
    }
  } finally {
    run.close();
  }
}

class Replay {
  readonly #ends: Map<number, number>;
  #found: Found[] = [];
  #bytes = 0;
  #failure: PostriderError | undefined;
  #wake = Promise.withResolvers<void>();
  #reader: PartitionReader | undefined;

  private constructor(ends: Map<number, number>) {
    this.#ends = ends;
  }

  static async start(options: ReplayOptions): Promise<Replay> {
    const { starts, ends } = await boundsOf(options);
    const run = new Replay(ends);
    if (ends.size > 0) run.#read(options, starts);
    return run;
  }

  /** What came since the last call; undefined at the end. */
  async next(): Promise<readonly Found[] | undefined> {
    while (this.#found.length === 0) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ends.size === 0) return undefined;
      await this.#wake.promise;
      this.#wake = Promise.withResolvers<void>();
    }
    const found = this.#found;
    this.#found = [];
    this.#bytes = 0;
    this.#reader?.pause(false);
    return found;
  }

  close(): void {
    this.#reader?.close();
  }

  #read(options: ReplayOptions, starts: ReadonlyMap<number, number>): void {
    this.#reader = new PartitionReader({
      ...options,
      starts,
      onRecords: (partition, records, next) => this.#take(partition, records, next),
      onGone: (partition) => this.#ended(partition), // deleted while it was read
      onError: (error) => {
        this.#failure = error;
        this.#wake.resolve();
      },
    });
  }

  #take(partition: number, records: readonly RawRecord[], next: number): void {
    const end = this.#ends.get(partition);
    if (end === undefined) return;
    for (const record of records) {
      if (record.offset >= end) break;
      this.#found.push({ partition, record });
      this.#bytes += record.bytes;
    }
    if (next >= end) this.#ended(partition);
    if (this.#bytes >= PAUSE_AT_BYTES) this.#reader?.pause(true);
    this.#wake.resolve();
  }

  #ended(partition: number): void {
    this.#ends.delete(partition);
    this.#reader?.drop(partition);
    this.#wake.resolve();
  }
}

/** Where to begin and to end, for the partitions that have anything between. */
async function boundsOf({ admin, topic, range }: ReplayOptions): Promise<{ starts: Map<number, number>; ends: Map<number, number> }> {
  const partitions = Array.from({ length: topic.partitions }, (_, at) => at);
  try {
    const [first, last] = await Promise.all([
      offsetsAt(admin, topic.name, partitions, EARLIEST),
      offsetsAt(admin, topic.name, partitions, LATEST),
    ]);
    const wanted =
      typeof range.from === "object" && "time" in range.from
        ? await offsetsAt(admin, topic.name, partitions, BigInt(Date.parse(range.from.time)))
        : undefined;
    const starts = new Map<number, number>();
    const ends = new Map<number, number>();
    for (const partition of partitions) {
      const end = Math.min(last.get(partition)!, range.to?.position ?? Infinity); // positions are offsets counted from 1
      const start = Math.max(first.get(partition)!, startOf(range, wanted?.get(partition), last.get(partition)!));
      if (start >= end) continue;
      starts.set(partition, start);
      ends.set(partition, end);
    }
    return { starts, ends };
  } catch (error) {
    throw wrapKafkaError(error, `reading ${topic.name}`);
  }
}

function startOf({ from }: ReadRange, atTime: number | undefined, last: number): number {
  if (from === "earliest") return 0;
  if (from === "latest") return last;
  return "position" in from ? from.position - 1 : (atTime ?? last);
}

function readMessage(lane: number, record: RawRecord): ReadMessage {
  const { envelope, headers, body } = decodeRecord(record);
  return { envelope, headers, body, lane, position: record.offset + 1, storedAt: isoTime(record.timestampMs) };
}
