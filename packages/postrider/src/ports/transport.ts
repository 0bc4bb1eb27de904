import type { PostriderError } from "../base/errors.ts";
import type { MaybePromise } from "../base/deferred.ts";
import type { FoundMessage, Outgoing } from "../envelope/envelope.ts";
import type { Where } from "../contracts/contract.ts";
import type { DeadLetter } from "./dead-letters.ts";
import type { StoreTransaction } from "./store.ts";

/** What a transport can do by itself. What it cannot is emulated above it, or refused at start: never ignored. */
export interface TransportCapabilities {
  /** Who keeps one owner per key: the transport's lanes, or nobody. */
  readonly lanes: "owned" | "none";
  /** Whether positions of a lane only grow, so that a mark says all that was taken. */
  readonly positions: boolean;
  /** Whether a redelivered message says so. */
  readonly redeliveredFlag: boolean;
  /** `fetched`: urgent messages go first only among those that an instance has taken; an app must ask for that. With `none` priority is refused. */
  readonly priority: "native" | "emulated" | "fetched" | "none";
  /** Whether old messages can be read again. */
  readonly replay: boolean;
  /** Whether several processes may use it at once. */
  readonly manyProcesses: boolean;
  /** The largest body in bytes; Infinity where there is none. */
  readonly maxBodyBytes: number;
  /** In words: what a resolved send survives. */
  readonly durability: string;
}

/** A place that messages are written to and read from. */
export interface Destination {
  /** `order.commands`, `order.events` … */
  readonly name: string;
  readonly kind: "commands" | "events";
  /** How many lanes its keys are spread over. */
  readonly lanes: number;
  /** Whether somebody else makes and keeps it. */
  readonly isExternal: boolean;
}

/** What one service reads from one destination. */
export interface Subscription {
  readonly service: string;
  readonly destination: Destination;
  /** The types it wants; undefined wants everything, foreign messages too. */
  readonly types: readonly string[] | undefined;
  /** By type: a condition on the body that a transport may push down. The consumer checks it in any case. */
  readonly where: Readonly<Record<string, Where>>;
  /** The most messages handed over and not settled. */
  readonly prefetchCount: number;
  /** The most bytes handed over and not settled; one message may go over it alone. */
  readonly prefetchBytes: number;
  /** Where a new subscription starts. */
  readonly from: "earliest" | "latest";
}

/** All that an app reads and writes on one transport. */
export interface Topology {
  readonly destinations: readonly Destination[];
  readonly subscriptions: readonly Subscription[];
}

/** The difference between a topology and what is there. */
export interface TopologyPlan {
  readonly changes: readonly TopologyChange[];
}

/** One step of a plan. */
export interface TopologyChange {
  readonly action: "create" | "change" | "extra";
  readonly thing: string;
  readonly detail: string;
}

/** What became of a sent message: undefined once it is durable, else why not. */
export type SendOutcome = undefined | PostriderError;

/** How a batch is sent. */
export interface SendCallOptions {
  readonly deadlineMs: number;
  /** Told of a message's outcome as soon as it is known, by transports that know some before the others: a sender need not wait for its neighbours. */
  readonly onOutcome?: (at: number, outcome: SendOutcome) => void;
}

/** A share of a subscription: a hash range of keys with one owner at a time. */
export interface Lane {
  readonly service: string;
  readonly destination: string;
  /** 0 … lanes - 1. */
  readonly number: number;
  /** Grows with each change of owner; commits under an older epoch are refused. */
  readonly epoch: number;
}

/** One hand-over of a message. Settled by exactly one of `ack`, `giveBack` or a transport's `settleIn`; a second settling does nothing. */
export interface Delivery extends FoundMessage {
  readonly lane: Lane;
  /** The message's place in its lane; 0 where there are no positions. */
  readonly position: number;
  /** Whether it was handed over before, as far as the transport knows. */
  readonly isRedelivered: boolean;
  /** Whether the same id may come again (see {@link Outgoing.mayRepeat}). */
  readonly mayRepeat: boolean;
  /** Bytes of body and headers, for flow control. */
  readonly bytes: number;
  /** The message is done. Resolves once that is as durable as the transport makes it; need not be awaited. */
  ack(): MaybePromise<void>;
  /** The message has not started, or must run again: it will be handed over again, without counting as a failure. */
  giveBack(): MaybePromise<void>;
}

/** Who takes deliveries. Its methods never throw; a rejection of `onAssigned` gives the lane up. */
export interface Sink {
  /** A lane is ours. Deliveries of it start once this settles. */
  onAssigned(lane: Lane): MaybePromise<void>;
  /** The lane goes at the deadline: stop, let what runs end, settle. It is released when this settles, or at the deadline. */
  onRevoked(lane: Lane, reason: "rebalance" | "lost" | "closing", deadlineMs: number): MaybePromise<void>;
  /** Takes messages of one lane, in order. */
  deliver(lane: Lane, batch: readonly Delivery[]): void;
  /** Something failed that no caller waits for; the transport goes on by itself. */
  onError(error: PostriderError): void;
}

/** A running subscription. */
export interface Consumption {
  /** Stops handing over, for one lane or all. */
  pause(lane?: Lane): void;
  resume(lane?: Lane): void;
  /** Hands over nothing more; what is out can still be settled. */
  stop(): Promise<void>;
  /** Settles what is known, releases the lanes. Calls `onRevoked` first. */
  close(): Promise<void>;
  /** What is left to read and how the lanes stand. */
  inspect(): Promise<ConsumptionStatus>;
}

/** How a subscription stands. */
export interface ConsumptionStatus {
  readonly lanes: readonly Lane[];
  /** Messages written and not yet settled in this process' lanes. */
  readonly backlog: number;
  /** Age of the oldest of them in seconds, as far as it is known. */
  readonly lagSeconds: number | undefined;
  /** Lanes that have messages and that no process reads, as far as the transport can see that. Normal for the moment in which a lane changes hands. */
  readonly unowned?: number;
}

/** How a destination stands. */
export interface DestinationStatus {
  readonly destination: string;
  readonly messages: number;
  readonly subscriptions: readonly { readonly service: string; readonly backlog: number }[];
}

/** A subscription that is to be forgotten. */
export interface Retirement {
  readonly service: string;
  readonly destination: string;
  /** Also when it has messages that it has not read: they are lost for this service. */
  readonly dropUnread: boolean;
}

/** An instance's own place for answers. */
export interface ReplyInbox {
  /** What goes into `replyto`. */
  readonly address: string;
  close(): Promise<void>;
}

/** Where to read from, for replay and tail. */
export interface ReadRange {
  readonly from: "earliest" | "latest" | { readonly position: number } | { readonly time: string };
  /** Ends after this position. Default: what is there at the call. */
  readonly to?: { readonly position: number };
}

/** A message read for replay. */
export interface ReadMessage extends FoundMessage {
  readonly lane: number;
  readonly position: number;
  readonly storedAt: string | undefined;
}

/**
 * Port to a broker. It delivers at least once and keeps the order of a lane; everything else is built above it.
 *
 * @source docs/adr/0006-ports.md
 */
export interface Transport {
  readonly name: string;
  readonly capabilities: TransportCapabilities;
  open(): Promise<void>;
  /** What would have to change for the topology; changes nothing. */
  plan(topology: Topology): Promise<TopologyPlan>;
  /** Makes the topology so. Needed before `send` and `consume`; external destinations are only checked. */
  apply(topology: Topology): Promise<void>;
  /**
   * Writes messages, those of one key in the order given.
   *
   * Settles by the deadline. Outcomes are per message, in the order given; it rejects only when nothing was tried.
   * A `destination` that is a reply address goes to that instance's inbox.
   */
  send(batch: readonly Outgoing[], options: SendCallOptions): Promise<readonly SendOutcome[]>;
  consume(subscription: Subscription, sink: Sink): Promise<Consumption>;
  /** Opens a place for answers; they are handed over once they are as durable as a send. */
  replyInbox(onReply: (message: FoundMessage) => void): Promise<ReplyInbox>;
  read(destination: string, range: ReadRange): AsyncIterable<ReadMessage>;
  inspect(): Promise<readonly DestinationStatus[]>;
  /** Why it takes no messages for now though it is connected, in words; undefined when it does. Absent where there is no such state. */
  trouble?(): string | undefined;
  /**
   * Forgets a subscription that nobody reads any more, so that it keeps no messages back; does nothing where there is none. Absent where a transport cannot.
   * @throws PR_SUBSCRIPTION_USED while somebody reads it, or when it has unread messages and `dropUnread` is not given
   */
  retire?(subscription: Retirement): Promise<void>;
  /** Present where the app wants copies of dead letters on the broker. */
  readonly letterCopies?: LetterCopies | undefined;
  /** Flushes, then closes. May be called twice. */
  close(): Promise<void>;
  /** Present where the transport lives in the store's database. */
  readonly colocated?: Colocated;
}

/** Copies of dead letters on the broker, beside the letters in the store, for readers that know nothing of it. */
export interface LetterCopies {
  /** Where a destination's copies go, by its name. */
  destinationOf(destination: string): string;
  /** The copy of a letter that was read from a destination of this kind; it leaves by the outbox, with the letter's own transaction. */
  copyOf(letter: DeadLetter, kind: Destination["kind"]): Outgoing;
}

/** What a transport can do inside a transaction of a store that shares its database. */
export interface Colocated {
  /** Whether this store's transactions are its own database's. */
  shares(store: unknown): boolean;
  /** Writes messages that leave with the commit, or not at all. */
  enlist(transaction: StoreTransaction, batch: readonly Outgoing[]): MaybePromise<void>;
  /** Settles a delivery with the commit; a rollback leaves it unsettled. @throws PR_LEASE_LOST */
  settleIn(transaction: StoreTransaction, delivery: Delivery): MaybePromise<void>;
}
