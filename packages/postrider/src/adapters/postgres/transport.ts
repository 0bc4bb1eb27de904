import { fail } from "../../base/errors.ts";
import { bodyBytes } from "../../envelope/envelope.ts";
import type { FoundMessage, Outgoing } from "../../envelope/envelope.ts";
import type { MaybePromise } from "../../base/deferred.ts";
import type { StoreTransaction } from "../../ports/store.ts";
import type {
  Colocated,
  Consumption,
  Delivery,
  DestinationStatus,
  ReadMessage,
  ReadRange,
  ReplyInbox,
  Retirement,
  SendOutcome,
  Sink,
  Subscription,
  Topology,
  TopologyPlan,
  Transport,
  TransportCapabilities,
} from "../../ports/transport.ts";
import { isPostgresDelivery } from "./delivery.ts";
import { LogCore } from "./log-core.ts";
import type { LogHost } from "./log-core.ts";
import { destinationStatuses } from "./log-backlog.ts";
import { unknownDestination } from "./log-destinations.ts";
import { readLog } from "./log-reading.ts";
import { retireSubscription } from "./log-retire.ts";
import { LOG_PART } from "./log-schema.ts";
import { applyTopology, differences } from "./log-topology.ts";
import { leaseLost, LogUnit } from "./log-unit.ts";
import type { Joinable } from "./participant.ts";
import { wrapTransportError } from "./vendor-error.ts";

/** The logs of a PostgreSQL schema as a transport. */
export class PostgresTransport implements Transport {
  readonly name = "postgres";
  readonly capabilities: TransportCapabilities;
  readonly colocated: Colocated;
  readonly #host: LogHost;
  #core: LogCore | undefined;
  #closing: Promise<void> | undefined;

  constructor(host: LogHost) {
    this.#host = host;
    this.capabilities = {
      lanes: "owned",
      positions: true,
      redeliveredFlag: false,
      priority: "emulated",
      replay: true,
      manyProcesses: true,
      maxBodyBytes: host.maxBodyBytes,
      durability: "the end of the process and, as long as the server's synchronous_commit and fsync are on, a power cut",
    };
    this.colocated = {
      shares: (store) => host.hasStore(store),
      enlist: (transaction, batch) => this.#enlist(transaction, batch),
      settleIn: (transaction, delivery) => this.#settleIn(transaction, delivery),
    };
  }

  async open(): Promise<void> {
    await guarded("its opening", () => this.#host.enter(this, LOG_PART));
    this.#core ??= new LogCore(this.#host);
    this.#closing = undefined;
  }

  async plan(topology: Topology): Promise<TopologyPlan> {
    const { log } = this.#open("plan");
    return { changes: await guarded("plan", () => differences(log.connections, log.schema, topology)) };
  }

  async apply(topology: Topology): Promise<void> {
    const { log, destinations } = this.#open("apply");
    await guarded("apply", () => log.inTransaction((client) => applyTopology(client, log.schema, topology)));
    await guarded("apply", () => destinations.learn(topology.destinations.map(({ name }) => name)));
  }

  async send(batch: readonly Outgoing[], options: { readonly deadlineMs: number }): Promise<readonly SendOutcome[]> {
    const core = this.#open("send");
    const known = await this.#learn(core, batch, options.deadlineMs);
    if (known !== undefined) return batch.map(() => known);
    const refusals = batch.map((message) => this.#refusalOf(core, message));
    const messages = batch.filter((_, at) => refusals[at] === undefined);
    if (messages.length === 0) return refusals;
    const placed = core.placeKnown(messages);
    if (placed.length === 0) {
      core.announce(messages, new Map()); // answers to this process only
      return refusals;
    }
    const outcome = await core.appender.append(messages, placed, options.deadlineMs);
    return refusals.map((refusal) => refusal ?? outcome);
  }

  async consume(subscription: Subscription, sink: Sink): Promise<Consumption> {
    return guarded("consume", () => this.#open("consume").consume(subscription, sink));
  }

  async replyInbox(onReply: (message: FoundMessage) => void): Promise<ReplyInbox> {
    return this.#open("replyInbox").openReplies(onReply);
  }

  async *read(destination: string, range: ReadRange): AsyncIterable<ReadMessage> {
    const { log, destinations } = this.#open("read");
    try {
      const { id } = await destinations.get(destination);
      yield* readLog(log, id, range, this.#host.clock);
    } catch (error) {
      throw wrapTransportError(error, "postgres", "read");
    }
  }

  async inspect(): Promise<readonly DestinationStatus[]> {
    const { log } = this.#open("inspect");
    return guarded("inspect", () => destinationStatuses(log));
  }

  async retire(subscription: Retirement): Promise<void> {
    const { log } = this.#open("retire");
    await guarded("retire", () => log.inTransaction((client) => retireSubscription(client, log, subscription)));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Ends as the death of the process would: nothing is flushed or released. For tests. */
  abandon(): void {
    this.#core?.abandon();
    this.#core = undefined;
  }

  async #close(): Promise<void> {
    const core = this.#core;
    await core?.close();
    this.#core = undefined;
    await this.#host.leave(this);
  }

  #open(during: string): LogCore {
    if (this.#core === undefined || this.#closing !== undefined) throw fail("PR_TRANSPORT_CLOSED", { transport: "postgres", during });
    return this.#core;
  }

  /** Looks up destinations that are not known yet, trying again until the deadline. Why that was in vain, if it was. */
  async #learn(core: LogCore, batch: readonly Outgoing[], deadlineMs: number): Promise<SendOutcome> {
    const unknown = batch.map(({ destination }) => destination).filter((name) => !core.isKnown(name));
    if (unknown.length === 0) return undefined;
    return core.learn(unknown, deadlineMs);
  }

  #refusalOf(core: LogCore, { destination, envelope, body }: Outgoing): SendOutcome {
    if (!core.isKnown(destination)) return unknownDestination(destination);
    const limit = this.#host.maxBodyBytes;
    if (body.length * MAX_BYTES_PER_CHARACTER <= limit) return undefined;
    const bytes = bodyBytes(body);
    return bytes > limit ? fail("PR_BODY_TOO_LARGE", { contract: envelope.type, bytes, limit }) : undefined;
  }

  #enlist(transaction: StoreTransaction, batch: readonly Outgoing[]): MaybePromise<void> {
    const core = this.#open("enlist");
    const unit = unitOf(transaction, core);
    unit.outgoing.push(...batch);
    const unknown = batch.filter(({ destination }) => !core.isKnown(destination));
    for (const message of batch) {
      const refusal = unknown.includes(message) ? undefined : this.#refusalOf(core, message);
      if (refusal !== undefined) throw refusal;
    }
    // Whoever does not wait for this hears of it at the commit, which asks again.
    return unknown.length === 0 ? undefined : core.place(unknown).then(() => undefined);
  }

  #settleIn(transaction: StoreTransaction, delivery: Delivery): void {
    if (!isPostgresDelivery(delivery))
      throw fail("PR_FEATURE_REFUSED", { feature: "settleIn", adapter: "postgres", reason: "the delivery is another transport's" });
    if (delivery.state !== "out") return;
    if (this.#core === undefined) throw leaseLost(delivery);
    unitOf(transaction, this.#core).settle(delivery);
  }
}

const MAX_BYTES_PER_CHARACTER = 3; // of a UTF-16 unit in UTF-8

function unitOf(transaction: StoreTransaction, core: LogCore): LogUnit {
  const joinable = transaction as Partial<Joinable>;
  const unit = typeof joinable.join === "function" ? joinable.join(() => new LogUnit(core)) : undefined;
  if (unit instanceof LogUnit) return unit;
  throw fail("PR_FEATURE_REFUSED", {
    feature: "a transaction with messages",
    adapter: "postgres",
    reason: "the transaction is another store's",
  });
}

async function guarded<Result>(during: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw wrapTransportError(error, "postgres", during);
  }
}
