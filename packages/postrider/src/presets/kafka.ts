import { systemClock } from "../base/clock.ts";
import type { Clock } from "../base/clock.ts";
import { fail } from "../base/errors.ts";
import { uuidv7Ids } from "../base/ids.ts";
import type { Ids } from "../base/ids.ts";
import { systemRandom } from "../base/random.ts";
import type { Random } from "../base/random.ts";
import type { KafkaCompression } from "../adapters/kafka/batch-writer.ts";
import { KafkaLetterCopies } from "../adapters/kafka/letter-copies.ts";
import type { KafkaTopicOptions } from "../adapters/kafka/topology.ts";
import { KafkaTransport } from "../adapters/kafka/transport.ts";
import type { KafkaTransportOptions } from "../adapters/kafka/transport.ts";
import type { KafkaConnection } from "../adapters/kafka/vendor.ts";
import type { Logger } from "../ports/logger.ts";
import type { Transport } from "../ports/transport.ts";
import { jsonLogger } from "../telemetry/json-logger.ts";

/** What {@link kafka} takes. */
export interface KafkaOptions extends Omit<KafkaConnection, "clientId"> {
  /** How this process is called in the brokers' logs and quotas. Default `postrider`. */
  readonly clientId?: string;
  /** Default `none`. */
  readonly compression?: KafkaCompression;
  /** How long a send waits for others to share its request, in milliseconds. Default 0: those of one turn of the event loop share it. */
  readonly lingerMs?: number;
  /** The largest record in bytes; topics are made with it. Bodies may be 64 KiB smaller. Default 2 MiB. */
  readonly maxMessageBytes?: number;
  /** The most of one partition in one fetch, in bytes: memory is this times the partitions. Default 1 MiB. */
  readonly maxPartitionBytes?: number;
  /** After how much silence the partitions of an instance go to others, in milliseconds. Default 30 000. */
  readonly sessionMs?: number;
  /** How often an instance says that it lives, in milliseconds: a change of instances takes about this long. Default 1000. */
  readonly heartbeatMs?: number;
  /** How long handlers may finish when their partition goes to another instance, in milliseconds. Default 8000. */
  readonly revokeMs?: number;
  /** How often progress is committed, in milliseconds. Default 1000. */
  readonly commitIntervalMs?: number;
  /** A name of this instance that survives its restart, such as a pod's: then a restart within `sessionMs` moves no partition. Default none. */
  readonly instanceId?: string;
  /** Only `classic`: with `consumer` (KIP-848) the client does not come back once it is thrown out, and handles messages twice. */
  readonly groupProtocol?: "classic" | "consumer";
  /** The group of a service that reads a destination. Default `service.destination`. */
  readonly groupId?: (service: string, destination: string) => string;
  /**
   * What a message's priority means: with `none`, the default, it is refused, as a topic is read in its order; with `fetched` urgent messages go first among
   * those that an instance has taken (`prefetchCount`), and wait behind the rest of the backlog.
   */
  readonly priority?: "none" | "fetched";
  /**
   * Whether a message that is given up is also written to a topic beside its own, in the partition of the same number: with `dlq` to `<topic>.dlq`, with the reason in
   * headers `postrider-failure-*`; with `spring` to `<topic>-dlt`, with the headers of Spring's `DeadLetterPublishingRecoverer`. Default `none`: the store has it.
   */
  readonly deadLetterTopics?: "none" | "dlq" | "spring";
  /** Another name for a topic's dead letters. */
  readonly deadLetterTopic?: (destination: string) => string;
  /** The topic for answers, one for all instances of an app. Default `postrider.replies`. */
  readonly replyTopic?: string;
  /** Copies of each partition of topics that are made. Default what the brokers are set to. */
  readonly replicationFactor?: number;
  /** What topics are made like, by destination. */
  readonly topics?: Readonly<Record<string, KafkaTopicOptions>>;
  /** Default: JSON lines on stderr, from `warn` on. */
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly ids?: Ids;
}

const MIB = 1024 * 1024;

/**
 * Carries commands or events on Kafka: a topic for each destination, a group for each service that reads it, a partition as lane.
 *
 * Delivery: at least once; effectively once by message id where the service has a store. Order: per key, which goes to the partition that Java's clients take.
 * Sends are idempotent and confirmed by all in-sync replicas. Needs the package `@platformatic/kafka`.
 * @throws PR_CONFIG_INVALID, PR_FEATURE_REFUSED
 */
export function kafka(options: KafkaOptions): Transport {
  check(options);
  const { clock = systemClock, brokers, tls, sasl, topics = {}, replicationFactor = -1 } = options;
  const groupOf = options.groupId ?? ((service, destination) => `${service}.${destination}`);
  const decided: KafkaTransportOptions = {
    connection: {
      brokers,
      clientId: options.clientId ?? "postrider",
      ...(tls === undefined ? {} : { tls }),
      ...(sasl === undefined ? {} : { sasl }),
    },
    clock,
    random: options.random ?? systemRandom,
    ids: options.ids ?? uuidv7Ids(clock),
    logger: options.logger ?? jsonLogger({ level: "warn", write: (line) => void process.stderr.write(line), clock }),
    compression: options.compression ?? "none",
    lingerMs: options.lingerMs ?? 0,
    maxMessageBytes: options.maxMessageBytes ?? 2 * MIB,
    maxPartitionBytes: options.maxPartitionBytes ?? MIB,
    timing: { sessionMs: options.sessionMs ?? 30_000, heartbeatMs: options.heartbeatMs ?? 1000, revokeMs: options.revokeMs ?? 8000 },
    commitIntervalMs: options.commitIntervalMs ?? 1000,
    instanceId: options.instanceId,
    replyTopic: options.replyTopic ?? "postrider.replies",
    priority: options.priority ?? "none",
    replicationFactor,
    groupOf,
    letterCopies: letterCopiesOf(options, groupOf),
    topicOptions: (destination) => ({ ...(replicationFactor === -1 ? {} : { replicationFactor }), ...topics[destination] }),
  };
  return new KafkaTransport(decided);
}

function letterCopiesOf(
  { deadLetterTopics: form = "none", deadLetterTopic: topicOf }: KafkaOptions,
  groupOf: KafkaTransportOptions["groupOf"],
): KafkaLetterCopies | undefined {
  return form === "none" ? undefined : new KafkaLetterCopies({ form, topicOf, groupOf });
}

function check(options: KafkaOptions): void {
  const { brokers, groupProtocol, heartbeatMs = 1000, sessionMs = 30_000, revokeMs = 8000, deadLetterTopics = "none" } = options;
  if (groupProtocol === "consumer")
    throw fail("PR_FEATURE_REFUSED", {
      feature: 'groupProtocol: "consumer" (KIP-848)',
      adapter: "kafka",
      reason:
        "a member of @platformatic/kafka that was thrown out never joins again and goes on reading beside the new owner; use the classic protocol",
    });
  const mistakes: string[] = [];
  if (brokers.length === 0) mistakes.push("kafka({ brokers }) needs at least one host:port");
  if (heartbeatMs * 3 > sessionMs) mistakes.push("kafka({ heartbeatMs }) must be at most a third of sessionMs");
  if (revokeMs >= sessionMs) mistakes.push("kafka({ revokeMs }) must be shorter than sessionMs");
  if (!["none", "dlq", "spring"].includes(deadLetterTopics)) mistakes.push('kafka({ deadLetterTopics }) must be "none", "dlq" or "spring"');
  if (options.deadLetterTopic !== undefined && deadLetterTopics === "none")
    mistakes.push("kafka({ deadLetterTopic }) needs deadLetterTopics");
  if (mistakes.length > 0) throw fail("PR_CONFIG_INVALID", { mistakes: mistakes.join("; ") });
}
