/** One way to use Kafka, on a topic of its own. Every part closes what it opens. */
export interface KafkaPeer extends AsyncDisposable {
  /** Makes the topic. */
  prepare(): Promise<void>;
  /** Sends one order; settles once all in-sync replicas have it. */
  openSender(): Promise<(n: number) => Promise<unknown>>;
  /** Begins to read from the topic's start, and tells of each order that was handled. */
  openReader(onHandled: (n: number) => void): Promise<void>;
  /** Asks and settles with the answer; undefined where it cannot. */
  openRequester?(): Promise<(n: number) => Promise<unknown>>;
  /** Writes a backlog, where others can do that faster than {@link openSender}. */
  fill?(messages: number): Promise<void>;
}

/** Partitions of every topic. */
export const PARTITIONS = 4;
/** How often progress is committed. */
export const COMMIT_MS = 1000;
/** What of one partition is fetched at once at most. */
export const MAX_PARTITION_BYTES = 1024 * 1024;

/** A name that no other case of this server has. */
export function freshName(prefix: string): string {
  return `${prefix}${String(process.pid)}`;
}
