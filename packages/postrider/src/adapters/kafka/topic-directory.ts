import type { Clock } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { VendorAdmin } from "./vendor.ts";
import { hasKafkaCode, KAFKA_CODES, wrapKafkaError } from "./vendor-error.ts";

/** What a cluster says of a topic. */
export interface Topic {
  readonly name: string;
  readonly id: string;
  readonly partitions: number;
  /** The broker that leads each partition. */
  readonly leaders: readonly number[];
  readonly leaderEpochs: readonly number[];
}

const FRESH_MS = 60_000;

/** The topics that this process has to do with, as far as they are known. */
export class TopicDirectory {
  readonly #admin: VendorAdmin;
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly topic: Topic; readonly atMs: number }>();
  readonly #asking = new Map<string, Promise<Topic | undefined>>();

  constructor(admin: VendorAdmin, clock: Clock) {
    this.#admin = admin;
    this.#clock = clock;
  }

  /** What is known of a topic, without asking. What is older than a minute is asked for again beside it. */
  peek(name: string): Topic | undefined {
    const known = this.#known.get(name);
    if (known !== undefined && this.#clock.monotonicMs() - known.atMs > FRESH_MS) void this.ask(name).catch(() => undefined);
    return known?.topic;
  }

  /** A topic, asked for if it is not known; undefined where there is none. @throws PR_TRANSPORT_FAILED */
  async find(name: string): Promise<Topic | undefined> {
    return this.peek(name) ?? this.ask(name);
  }

  /** A topic as it is now. @throws PR_TRANSPORT_FAILED */
  ask(name: string): Promise<Topic | undefined> {
    const asking =
      this.#asking.get(name) ??
      this.#ask(name).finally(() => {
        this.#asking.delete(name);
      });
    this.#asking.set(name, asking);
    return asking;
  }

  /** @throws PR_DESTINATION_UNKNOWN */
  async get(name: string): Promise<Topic> {
    const topic = await this.find(name);
    if (topic === undefined) throw unknownDestination(name);
    return topic;
  }

  async #ask(name: string): Promise<Topic | undefined> {
    try {
      const metadata = await this.#admin.metadata({ topics: [name], forceUpdate: true, retries: 0 });
      const found = metadata.topics.get(name);
      if (found === undefined || found.partitions.length === 0) return undefined;
      const { id, partitions } = found;
      const topic: Topic = {
        name,
        id,
        partitions: partitions.length,
        leaders: partitions.map(({ leader }) => leader),
        leaderEpochs: partitions.map(({ leaderEpoch }) => leaderEpoch),
      };
      this.#known.set(name, { topic, atMs: this.#clock.monotonicMs() });
      return topic;
    } catch (error) {
      if (!isUnknownTopic(error)) throw wrapKafkaError(error, `looking for ${name}`);
      this.#known.delete(name);
      return undefined;
    }
  }
}

/** The error for a topic that the cluster does not have. */
export function unknownDestination(destination: string): PostriderError {
  return fail("PR_DESTINATION_UNKNOWN", { transport: "kafka", destination });
}

/** The client turns the protocol's code into a text of its own here. */
function isUnknownTopic(error: unknown): boolean {
  return (
    hasKafkaCode(error, KAFKA_CODES.UNKNOWN_TOPIC_OR_PARTITION) || (error instanceof Error && error.message.startsWith("Unknown topic"))
  );
}
