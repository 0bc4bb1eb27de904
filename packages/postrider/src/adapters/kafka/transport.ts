import type { Clock } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import type { Ids } from "../../base/ids.ts";
import type { Random } from "../../base/random.ts";
import type { FoundMessage, Outgoing } from "../../envelope/envelope.ts";
import type { Logger } from "../../ports/logger.ts";
import type {
  Consumption,
  DestinationStatus,
  LetterCopies,
  ReadMessage,
  ReadRange,
  ReplyInbox,
  SendCallOptions,
  SendOutcome,
  Sink,
  Subscription,
  Topology,
  TopologyPlan,
  Transport,
  TransportCapabilities,
} from "../../ports/transport.ts";
import { KafkaConsumption } from "./consumption.ts";
import { FetchPool } from "./fetch-pool.ts";
import type { GroupTiming } from "./group-member.ts";
import { KafkaProducer } from "./producer.ts";
import type { KafkaCompression } from "./batch-writer.ts";
import { replay } from "./replay.ts";
import { openReplyInbox } from "./replies.ts";
import { TopicDirectory } from "./topic-directory.ts";
import { applyTopology, destinationStatuses, differences, ensureCommitted } from "./topology.ts";
import type { KafkaTopicOptions, TopologyOptions } from "./topology.ts";
import { clientBase, loadKafka } from "./vendor.ts";
import type { KafkaConnection, KafkaModule, VendorAdmin } from "./vendor.ts";
import { wrapKafkaError } from "./vendor-error.ts";

/** What a Kafka transport is made with: everything decided. */
export interface KafkaTransportOptions {
  readonly connection: KafkaConnection;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly compression: KafkaCompression;
  readonly lingerMs: number;
  readonly maxMessageBytes: number;
  readonly maxPartitionBytes: number;
  readonly timing: GroupTiming;
  readonly commitIntervalMs: number;
  readonly instanceId: string | undefined;
  readonly replyTopic: string;
  /** Undefined where dead letters stay in the store. */
  readonly letterCopies: LetterCopies | undefined;
  readonly priority: "none" | "fetched";
  readonly replicationFactor: number;
  readonly groupOf: (service: string, destination: string) => string;
  readonly topicOptions: (destination: string) => KafkaTopicOptions;
}

interface Parts {
  readonly kafka: KafkaModule;
  readonly admin: VendorAdmin;
  readonly topics: TopicDirectory;
  readonly pool: FetchPool;
  readonly producer: KafkaProducer;
}

const HEADROOM_BYTES = 64 * 1024; // for a record's key, headers and batch around the largest body
const FLUSH_MS = 5000;
const ADMIN_RETRIES = 3;
const ADMIN_RETRY_MS = 200;

/** Topics of a Kafka cluster as a transport. */
export class KafkaTransport implements Transport {
  readonly name = "kafka";
  readonly capabilities: TransportCapabilities;
  readonly letterCopies: LetterCopies | undefined;
  readonly #options: KafkaTransportOptions;
  readonly #consumptions = new Set<KafkaConsumption>();
  readonly #inboxes = new Set<ReplyInbox>();
  #topology: Topology = { destinations: [], subscriptions: [] };
  #parts: Parts | undefined;
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: KafkaTransportOptions) {
    this.#options = options;
    this.letterCopies = options.letterCopies;
    this.capabilities = {
      lanes: "owned",
      positions: true,
      redeliveredFlag: false,
      priority: options.priority,
      replay: true,
      manyProcesses: true,
      maxBodyBytes: options.maxMessageBytes - HEADROOM_BYTES,
      durability:
        "a message is in the log of all in-sync replicas; with one replica it survives the broker's process, and a power cut once its disk has it",
    };
  }

  open(): Promise<void> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async plan(topology: Topology): Promise<TopologyPlan> {
    return { changes: await differences(this.#topologyOptions("plan"), topology) };
  }

  async apply(topology: Topology): Promise<void> {
    await applyTopology(this.#topologyOptions("apply"), topology);
    this.#topology = merged(this.#topology, topology);
  }

  send(batch: readonly Outgoing[], options: SendCallOptions): Promise<readonly SendOutcome[]> {
    if (this.#parts === undefined || this.#closing !== undefined) return Promise.reject(this.#closed("send"));
    return this.#parts.producer.send(batch, options);
  }

  async consume(subscription: Subscription, sink: Sink): Promise<Consumption> {
    const parts = this.#partsFor("consume");
    const { timing, commitIntervalMs, instanceId, groupOf, connection, clock, random } = this.#options;
    const topic = await parts.topics.get(subscription.destination.name);
    await ensureCommitted(this.#topologyOptions("consume"), subscription).catch((error: unknown) => {
      throw wrapKafkaError(error, "consume");
    });
    const consumption = new KafkaConsumption({
      ...parts,
      connection,
      clock,
      random,
      topic,
      subscription,
      sink,
      timing,
      commitIntervalMs,
      instanceId,
      keepsOrigin: this.letterCopies !== undefined,
      groupId: groupOf(subscription.service, topic.name),
      onClosed: (closed) => this.#consumptions.delete(closed),
    });
    this.#consumptions.add(consumption);
    return consumption;
  }

  async replyInbox(onReply: (message: FoundMessage) => void): Promise<ReplyInbox> {
    const inbox = await openReplyInbox({ ...this.#options, ...this.#partsFor("replyInbox") }, this.#options.ids.next(), onReply);
    const opened: ReplyInbox = {
      address: inbox.address,
      close: async () => {
        this.#inboxes.delete(opened);
        await inbox.close();
      },
    };
    this.#inboxes.add(opened);
    return opened;
  }

  async *read(destination: string, range: ReadRange): AsyncIterable<ReadMessage> {
    const parts = this.#partsFor("read");
    const topic = await parts.topics.get(destination);
    yield* replay({ ...this.#options, ...parts, topic, range });
  }

  async inspect(): Promise<readonly DestinationStatus[]> {
    const options = this.#topologyOptions("inspect");
    await Promise.all([...this.#consumptions].map((consumption) => consumption.commitNow()));
    try {
      return await destinationStatuses(options, this.#topology);
    } catch (error) {
      throw wrapKafkaError(error, "inspect");
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #open(): Promise<void> {
    const { connection, clock } = this.#options;
    const kafka = await loadKafka();
    const admin = new kafka.Admin({ ...clientBase(connection), retries: ADMIN_RETRIES, retryDelay: ADMIN_RETRY_MS });
    admin.on("error", () => undefined); // each call has its own outcome
    const topics = new TopicDirectory(admin, clock);
    const { maxBodyBytes } = this.capabilities;
    const producer = new KafkaProducer(kafka, { ...this.#options, topics, maxBodyBytes });
    this.#parts = { kafka, admin, topics, pool: new FetchPool(kafka, this.#options), producer };
  }

  async #close(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    await Promise.all([...this.#consumptions].map((consumption) => consumption.close()));
    await Promise.all([...this.#inboxes].map((inbox) => inbox.close()));
    await this.#parts?.pool.close();
    await this.#parts?.producer.close(FLUSH_MS);
    await this.#parts?.admin.close().catch(() => undefined);
  }

  #partsFor(during: string): Parts {
    if (this.#parts === undefined || this.#closing !== undefined) throw this.#closed(during);
    return this.#parts;
  }

  #topologyOptions(during: string): TopologyOptions {
    return { ...this.#options, ...this.#partsFor(during) };
  }

  #closed(during: string): Error {
    return fail("PR_TRANSPORT_CLOSED", { transport: this.name, during });
  }
}

function merged(known: Topology, more: Topology): Topology {
  const destinations = new Map([...known.destinations, ...more.destinations].map((one) => [one.name, one]));
  const subscriptions = new Map(
    [...known.subscriptions, ...more.subscriptions].map((one) => [`${one.service} ${one.destination.name}`, one]),
  );
  return { destinations: [...destinations.values()], subscriptions: [...subscriptions.values()] };
}
