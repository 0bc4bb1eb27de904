import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { FoundMessage, Outgoing } from "../../envelope/envelope.ts";
import { bodyBytes } from "../../envelope/envelope.ts";
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
import type { StoreTransaction } from "../../ports/store.ts";
import { MemoryConsumption } from "./consumption.ts";
import type { MemoryCore } from "./core.ts";
import { MemoryDelivery } from "./delivery.ts";
import { MemoryStoreTransaction } from "./store-transaction.ts";
import { MemoryStore } from "./store.ts";

const SENT: readonly SendOutcome[] = Object.freeze([undefined]);

/** A connection to a world's messages. Each process has its own. */
export class MemoryTransport implements Transport {
  readonly name = "memory";
  readonly capabilities: TransportCapabilities;
  readonly colocated: Colocated;
  readonly #core: MemoryCore;
  readonly #generation: number;
  readonly #consumptions = new Set<MemoryConsumption>();
  readonly #inboxes = new Set<string>();
  #isClosed = false;

  constructor(core: MemoryCore) {
    this.#core = core;
    this.#generation = core.generation;
    this.capabilities = capabilitiesOf(core.maxBodyBytes);
    this.colocated = new MemoryColocated(core);
  }

  open(): Promise<void> {
    return this.#run("open", () => undefined);
  }

  plan(topology: Topology): Promise<TopologyPlan> {
    return this.#run("plan", () => ({ changes: this.#core.broker.difference(topology) }));
  }

  apply(topology: Topology): Promise<void> {
    return this.#run("apply", () => this.#core.broker.apply(topology));
  }

  send(batch: readonly Outgoing[]): Promise<readonly SendOutcome[]> {
    if (this.#isGone()) return Promise.reject(this.#closed("send"));
    if (batch.length !== 1)
      return this.#core.turns.settle(
        batch.map((message) => this.#sendOne(message)),
        batch.length,
      );
    const outcome = this.#sendOne(batch[0]!);
    return this.#core.turns.settle(outcome === undefined ? SENT : [outcome]);
  }

  consume(subscription: Subscription, sink: Sink): Promise<Consumption> {
    return this.#run("consume", () => {
      const group = this.#core.broker.group(subscription);
      const onClosed = (closed: MemoryConsumption): void => {
        this.#consumptions.delete(closed);
        forget();
      };
      const consumption = new MemoryConsumption({ subscription, sink, group, clock: this.#core.clock, turns: this.#core.turns, onClosed });
      const forget = this.#core.onCrash(() => consumption.crash());
      this.#consumptions.add(consumption);
      group.join(consumption);
      return consumption;
    });
  }

  replyInbox(onReply: (message: FoundMessage) => void): Promise<ReplyInbox> {
    return this.#run("replyInbox", () => {
      const address = this.#core.broker.openInbox(onReply);
      this.#inboxes.add(address);
      const close = (): Promise<void> => {
        this.#core.broker.closeInbox(address);
        this.#inboxes.delete(address);
        return Promise.resolve();
      };
      return { address, close };
    });
  }

  async *read(destination: string, range: ReadRange): AsyncIterable<ReadMessage> {
    yield* await this.#run("read", () => this.#core.broker.destination(destination).read(range));
  }

  inspect(): Promise<readonly DestinationStatus[]> {
    return this.#run("inspect", () => [...this.#core.broker.destinations()].map((destination) => destination.status()));
  }

  retire(subscription: Retirement): Promise<void> {
    return this.#run("retire", () => this.#core.broker.retire(subscription));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#generation !== this.#core.generation) return;
    for (const address of this.#inboxes) this.#core.broker.closeInbox(address);
    await Promise.all([...this.#consumptions].map((consumption) => consumption.close()));
  }

  #sendOne(message: Outgoing): SendOutcome {
    const limit = this.#core.maxBodyBytes;
    if (limit !== Infinity && bodyBytes(message.body) > limit) {
      return fail("PR_BODY_TOO_LARGE", { contract: message.envelope.type, bytes: bodyBytes(message.body), limit });
    }
    return this.#core.broker.append(message);
  }

  async #run<Result>(during: string, work: () => Result): Promise<Result> {
    if (this.#isGone()) throw this.#closed(during);
    return work();
  }

  #isGone(): boolean {
    return this.#isClosed || this.#generation !== this.#core.generation;
  }

  #closed(during: string): PostriderError {
    return fail("PR_TRANSPORT_CLOSED", { transport: this.name, during });
  }
}

class MemoryColocated implements Colocated {
  readonly #core: MemoryCore;

  constructor(core: MemoryCore) {
    this.#core = core;
  }

  shares(store: unknown): boolean {
    return store instanceof MemoryStore && store.core === this.#core;
  }

  enlist(transaction: StoreTransaction, batch: readonly Outgoing[]): void {
    const limit = this.#core.maxBodyBytes;
    const large = limit === Infinity ? undefined : batch.find(({ body }) => bodyBytes(body) > limit);
    if (large !== undefined) throw fail("PR_BODY_TOO_LARGE", { contract: large.envelope.type, bytes: bodyBytes(large.body), limit });
    this.#core.broker.enlist(ownTransaction(transaction, "enlist").unit, batch);
  }

  settleIn(transaction: StoreTransaction, delivery: Delivery): void {
    if (!(delivery instanceof MemoryDelivery))
      throw fail("PR_FEATURE_REFUSED", { feature: "settleIn", adapter: "memory", reason: "the delivery is another transport's" });
    delivery.settleIn(ownTransaction(transaction, "settleIn").unit);
  }
}

function ownTransaction(transaction: StoreTransaction, feature: string): MemoryStoreTransaction {
  if (transaction instanceof MemoryStoreTransaction) return transaction;
  throw fail("PR_FEATURE_REFUSED", { feature, adapter: "memory", reason: "the transaction is another store's" });
}

function capabilitiesOf(maxBodyBytes: number): TransportCapabilities {
  return {
    lanes: "owned",
    positions: true,
    redeliveredFlag: true,
    priority: "native",
    replay: true,
    manyProcesses: false,
    maxBodyBytes,
    durability: "nothing outlives the process",
  };
}
