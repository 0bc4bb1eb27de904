import type { Clock } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Ids } from "../../base/ids.ts";
import type { Random } from "../../base/random.ts";
import type { FoundMessage, Outgoing } from "../../envelope/envelope.ts";
import type { Logger } from "../../ports/logger.ts";
import type {
  Consumption,
  Destination,
  DestinationStatus,
  ReadMessage,
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
import { AckPulse } from "./ack-book.ts";
import { RabbitConsumption } from "./consumption.ts";
import { takingConfirms, takingDeliveries } from "./frame-intake.ts";
import { destinationStatuses } from "./inspect.ts";
import { Link } from "./link.ts";
import { BATON_HEADER, REPLY_QUEUE, highQueue, subscriptionBase } from "./names.ts";
import type { BacklogLimits } from "./publish-backlog.ts";
import { Publisher } from "./publisher.ts";
import { ReplyQueue } from "./replies.ts";
import { BrokerTopology } from "./topology.ts";
import { connectTo } from "./vendor.ts";
import type { AmqpConnection, RabbitConnection } from "./vendor.ts";
import { publishOf } from "./routing.ts";
import type { ExistingPlace, Places } from "./routing.ts";
import { queueExists } from "./inspect.ts";
import { PERSISTENT } from "./wire.ts";

/** What a transport is made of. */
export interface RabbitTransportOptions {
  readonly connection: RabbitConnection;
  readonly limits: BacklogLimits;
  /** By destination: what of somebody else's stands for it. */
  readonly existing: ReadonlyMap<string, ExistingPlace>;
  readonly maxBodyBytes: number;
  /** How long a lane that goes waits for what runs, in milliseconds. */
  readonly revokeMs: number;
  /** How often consumptions look whether they have their fair share of the lanes, in milliseconds. */
  readonly rebalanceMs: number;
  /** How often a lane's baton is made anew, in milliseconds: before the broker's limit for unsettled messages. */
  readonly batonRefreshMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly logger: Logger;
}

const CLOSE_LIMIT_MS = 5000; // for confirms that are on their way
const BATON_DEADLINE_MS = 10_000;

/** A RabbitMQ virtual host as a transport: one connection for what is sent, one for what is read. */
export class RabbitTransport implements Transport {
  readonly name = "rabbitmq";
  readonly capabilities: TransportCapabilities;
  readonly #options: RabbitTransportOptions;
  readonly #sending: Link;
  readonly #reading: Link;
  readonly #pulse: AckPulse;
  readonly #publisher: Publisher;
  readonly #destinations = new Map<string, Destination>();
  readonly #places: Places;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #consumptions = new Set<RabbitConsumption>();
  readonly #inboxes = new Set<ReplyInbox>();
  #state: "new" | "open" | "closed" = "new";
  #closing: Promise<void> | undefined;

  constructor(options: RabbitTransportOptions) {
    this.#options = options;
    const { clock, random, logger, connection, limits, maxBodyBytes, existing } = options;
    this.#places = { destinations: this.#destinations, existing };
    const link = (purpose: string, taking: (opened: AmqpConnection) => AmqpConnection): Link =>
      new Link({ purpose, clock, random, logger, connect: async (attempt) => taking(await connectTo(connection, purpose, attempt)) });
    this.#sending = link("sending", takingConfirms);
    this.#reading = link("reading", takingDeliveries);
    this.#pulse = new AckPulse(clock);
    this.#publisher = new Publisher({ link: this.#sending, clock, logger, limits });
    this.capabilities = capabilitiesOf(maxBodyBytes);
  }

  async open(): Promise<void> {
    if (this.#state === "closed") throw this.#closed("open");
    await Promise.all([this.#sending.open(), this.#reading.open()]);
    this.#state = "open";
  }

  async plan(topology: Topology): Promise<TopologyPlan> {
    this.#assertOpen("plan");
    return { changes: await new BrokerTopology(this.#sending, this.#options.existing).differences(topology) };
  }

  async apply(topology: Topology): Promise<void> {
    this.#assertOpen("apply");
    await new BrokerTopology(this.#sending, this.#options.existing).apply(topology);
    const { existing } = this.#options;
    for (const destination of topology.destinations.filter(({ name }) => !existing.has(name)))
      this.#destinations.set(destination.name, destination);
    for (const subscription of topology.subscriptions.filter(({ destination }) => !existing.has(destination.name)))
      this.#subscriptions.set(subscriptionKey(subscription), subscription);
  }

  send(batch: readonly Outgoing[], { deadlineMs, onOutcome }: SendCallOptions): Promise<readonly SendOutcome[]> {
    if (this.#state !== "open") return Promise.reject(this.#closed("send"));
    if (batch.length === 0) return Promise.resolve([]);
    return new Promise((resolve) => {
      const outcomes: SendOutcome[] = batch.map(() => undefined);
      let open = batch.length;
      for (const [at, message] of batch.entries()) {
        this.#sendOne(message, deadlineMs, (outcome) => {
          outcomes[at] = outcome;
          onOutcome?.(at, outcome);
          if (--open === 0) resolve(outcomes);
        });
      }
      this.#publisher.flush();
    });
  }

  async consume(subscription: Subscription, sink: Sink): Promise<Consumption> {
    this.#assertOpen("consume");
    const { destination } = subscription;
    const base = subscriptionBase(subscription);
    const plainQueue = this.#plainQueueOf(destination.name);
    if (!(await queueExists(this.#reading, plainQueue ?? highQueue(base, destination.lanes - 1))))
      throw fail("PR_DESTINATION_UNKNOWN", { transport: "rabbitmq", destination: destination.name });
    if (plainQueue === undefined) this.#subscriptions.set(subscriptionKey(subscription), subscription);
    const { clock, random, revokeMs, rebalanceMs, batonRefreshMs } = this.#options;
    const consumption = new RabbitConsumption({
      subscription,
      plainQueue,
      sink,
      link: this.#reading,
      clock,
      pulse: this.#pulse,
      random,
      revokeMs,
      rebalanceMs,
      batonRefreshMs,
      putBaton: (queue, epoch) => this.#putBaton(queue, epoch),
      onClosed: (closed) => this.#consumptions.delete(closed),
    });
    this.#consumptions.add(consumption);
    await consumption.start();
    return consumption;
  }

  async replyInbox(onReply: (message: FoundMessage) => void): Promise<ReplyInbox> {
    this.#assertOpen("replyInbox");
    const { clock, ids } = this.#options;
    const inbox = new ReplyQueue({ link: this.#reading, clock, name: REPLY_QUEUE + ids.next(), onReply });
    await inbox.open();
    this.#inboxes.add(inbox);
    return inbox;
  }

  read(): AsyncIterable<ReadMessage> {
    throw fail("PR_FEATURE_REFUSED", {
      feature: "reading old messages again",
      adapter: "rabbitmq",
      reason: "a quorum queue forgets what was settled; keep events that must be read again on a log, such as Kafka",
    });
  }

  async inspect(): Promise<readonly DestinationStatus[]> {
    this.#assertOpen("inspect");
    return destinationStatuses(this.#reading, [...this.#destinations.values()], [...this.#subscriptions.values()]);
  }

  trouble(): string | undefined {
    const { blockedBy } = this.#sending;
    return blockedBy === undefined ? undefined : `the broker takes no messages for now (${blockedBy})`;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Ends as the death of its process would: nothing is told to anybody. For tests of what follows. */
  abandon(): void {
    this.#state = "closed";
    this.#closing ??= Promise.resolve();
    for (const consumption of this.#consumptions) consumption.abandon();
    this.#sending.abandon();
    this.#reading.abandon();
    this.#publisher.abandon();
  }

  async #close(): Promise<void> {
    const wasOpen = this.#state === "open";
    this.#state = "closed";
    if (wasOpen) {
      await Promise.all([...this.#consumptions].map((consumption) => consumption.close()));
      await Promise.all([...this.#inboxes].map((inbox) => inbox.close()));
    }
    await this.#publisher.close(CLOSE_LIMIT_MS);
    await Promise.all([this.#sending.close(), this.#reading.close()]);
  }

  #sendOne(message: Outgoing, deadlineMs: number, settle: (outcome: SendOutcome) => void): void {
    const publish = publishOf(message, this.#places, this.#options.maxBodyBytes);
    if (publish instanceof Error) settle(publish);
    else this.#publisher.publish(publish, settle, deadlineMs);
  }

  /** The queue of somebody else's that stands for a destination. @throws PR_FEATURE_REFUSED where it can only be written to */
  #plainQueueOf(destination: string): string | undefined {
    const place = this.#options.existing.get(destination);
    if (place === undefined || place.queue !== undefined) return place?.queue;
    const reason = `\`existing\` names no queue for it, only where it is written to`;
    throw fail("PR_FEATURE_REFUSED", { feature: `reading ${destination}`, adapter: "rabbitmq", reason });
  }

  #putBaton(queue: string, epoch: number): void {
    const baton = { exchange: "", routingKey: queue, content: Buffer.alloc(0), contract: "", destination: queue };
    const options = { deliveryMode: PERSISTENT, headers: { [BATON_HEADER]: epoch } };
    this.#publisher.publish({ ...baton, options }, () => undefined, BATON_DEADLINE_MS);
    this.#publisher.flush();
  }

  #assertOpen(during: string): void {
    if (this.#state !== "open") throw this.#closed(during);
  }

  #closed(during: string): PostriderError {
    return fail("PR_TRANSPORT_CLOSED", { transport: this.name, during });
  }
}

function subscriptionKey({ service, destination }: Subscription): string {
  return `${service} ${destination.name}`;
}

function capabilitiesOf(maxBodyBytes: number): TransportCapabilities {
  return {
    lanes: "owned",
    positions: false,
    redeliveredFlag: true,
    priority: "emulated",
    replay: false,
    manyProcesses: true,
    maxBodyBytes,
    durability: "confirmed by a majority of the nodes that keep the quorum queue, each on disk",
  };
}
