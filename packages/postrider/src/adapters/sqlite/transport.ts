import type { Clock } from "../../base/clock.ts";
import type { Ids } from "../../base/ids.ts";
import { fail } from "../../base/errors.ts";
import type { FoundMessage, Outgoing } from "../../envelope/envelope.ts";
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
import { AppendJob } from "./append-job.ts";
import { SqliteConsumption } from "./consumption.ts";
import { isSqliteDelivery } from "./delivery.ts";
import { destinationStatuses, readLog } from "./log-reader.ts";
import type { FileParts } from "./parts.ts";
import { retireSubscription } from "./retire.ts";
import { applyTopology, differences, ensureCursors, unknownDestination } from "./topology.ts";
import { SqliteTransaction } from "./transaction.ts";
import { wrapVendorError } from "./vendor-error.ts";
import { write } from "./write-job.ts";
import { ownLifeMark } from "./life-mark.ts";

/** What a transport needs of its file. */
export interface TransportHost {
  /** Its path, for errors. */
  readonly file: string;
  readonly durability: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly leaseMs: number;
  readonly maxBodyBytes: number;
  readonly isOpen: boolean;
  /** Why nothing, or little, can be written. */
  readonly trouble: string | undefined;
  /** The open file's parts. @throws PR_TRANSPORT_CLOSED */
  parts(during: string): FileParts;
  sharesFileOf(store: unknown): boolean;
  enter(user: object): Promise<void>;
  leave(user: object): Promise<void>;
}

/** The logs of a SQLite file as a transport. */
export class SqliteTransport implements Transport {
  readonly name = "sqlite";
  readonly capabilities: TransportCapabilities;
  readonly colocated: Colocated;
  readonly #host: TransportHost;
  readonly #consumptions = new Set<SqliteConsumption>();
  readonly #replyInboxes = new Set<ReplyInbox>();
  #closing: Promise<void> | undefined;

  constructor(host: TransportHost) {
    this.#host = host;
    this.capabilities = {
      lanes: "owned",
      positions: true,
      redeliveredFlag: false,
      priority: "emulated",
      replay: true,
      manyProcesses: true,
      maxBodyBytes: host.maxBodyBytes,
      durability: host.durability,
    };
    this.colocated = {
      shares: (store) => host.sharesFileOf(store),
      enlist: (transaction, batch) => this.#enlist(transaction, batch),
      settleIn: (transaction, delivery) => settleIn(transaction, delivery),
    };
  }

  async open(): Promise<void> {
    await this.#host.enter(this);
    this.#closing = undefined;
  }

  async plan(topology: Topology): Promise<TopologyPlan> {
    return { changes: differences(this.#host.parts("plan").reader, topology) };
  }

  async apply(topology: Topology): Promise<void> {
    const { writer, connection, logs } = this.#host.parts("apply");
    await write(writer, () => applyTopology(connection, topology), { isVolatile: false });
    for (const { name } of topology.destinations) logs.find(name);
  }

  send(batch: readonly Outgoing[], options: { readonly deadlineMs: number }): Promise<readonly SendOutcome[]> {
    if (!this.#host.isOpen) return Promise.reject(fail("PR_TRANSPORT_CLOSED", { transport: "sqlite", during: "send" }));
    const { writer, logs } = this.#host.parts("send");
    const job = new AppendJob(batch, logs, options.deadlineMs, this.#host.clock.monotonicMs());
    writer.enqueue(job);
    return job.promise;
  }

  async consume(subscription: Subscription, sink: Sink): Promise<Consumption> {
    const { writer, connection, reader, logs, keeper } = this.#host.parts("consume");
    const { clock, ids, leaseMs } = this.#host;
    await write(writer, () => ensureCursors(connection, subscription), { isVolatile: false });
    const log = logs.find(subscription.destination.name)!;
    const consumption = new SqliteConsumption({
      subscription,
      sink,
      log,
      connection,
      reader,
      writer,
      clock,
      leaseMs,
      member: `${ids.next()} ${ownLifeMark()}`,
      onClosed: (closed) => {
        keeper.remove(closed);
        this.#consumptions.delete(closed);
      },
    });
    this.#consumptions.add(consumption);
    keeper.add(consumption);
    return consumption;
  }

  async replyInbox(onReply: (message: FoundMessage) => void): Promise<ReplyInbox> {
    const inbox = this.#host.parts("replyInbox").replies.open(this.#host.ids.next(), onReply);
    const opened: ReplyInbox = {
      address: inbox.address,
      close: async () => {
        this.#replyInboxes.delete(opened);
        await inbox.close();
      },
    };
    this.#replyInboxes.add(opened);
    return opened;
  }

  read(destination: string, range: ReadRange): AsyncIterable<ReadMessage> {
    const { reader, logs } = this.#host.parts("read");
    const log = logs.find(destination);
    if (log === undefined) throw unknownDestination(destination);
    return readLog(reader, log, range, this.#host.clock);
  }

  async inspect(): Promise<readonly DestinationStatus[]> {
    const { reader } = this.#host.parts("inspect");
    try {
      return destinationStatuses(reader);
    } catch (error) {
      throw wrapVendorError(error, this.#host.file, "inspect");
    }
  }

  trouble(): string | undefined {
    return this.#host.trouble;
  }

  async retire(subscription: Retirement): Promise<void> {
    const { writer, connection } = this.#host.parts("retire");
    const refused = await write(writer, () => retireSubscription(connection, subscription, this.#host.clock.now()), { isVolatile: false });
    if (refused !== undefined) throw refused;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#consumptions].map((consumption) => consumption.close()));
    await Promise.all([...this.#replyInboxes].map((inbox) => inbox.close()));
    await this.#host.leave(this);
  }

  #enlist(transaction: StoreTransaction, batch: readonly Outgoing[]): void {
    const { logs } = this.#host.parts("enlist");
    for (const message of batch) {
      const refusal = logs.refusalOf(message);
      if (refusal !== undefined) throw refusal;
    }
    ownTransaction(transaction).enlist(batch);
  }
}

function settleIn(transaction: StoreTransaction, delivery: Delivery): void {
  if (!isSqliteDelivery(delivery))
    throw fail("PR_FEATURE_REFUSED", { feature: "settleIn", adapter: "sqlite", reason: "the delivery is another transport's" });
  if (delivery.state !== "out") return;
  delivery.owner.assertOwned(delivery);
  ownTransaction(transaction).settle(delivery);
}

function ownTransaction(transaction: StoreTransaction): SqliteTransaction {
  if (transaction instanceof SqliteTransaction) return transaction;
  throw fail("PR_FEATURE_REFUSED", {
    feature: "a transaction with messages",
    adapter: "sqlite",
    reason: "the transaction is another store's",
  });
}
