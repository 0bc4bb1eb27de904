import type { MaybePromise } from "../base/deferred.ts";
import type { Envelope, Headers, WireBody } from "../envelope/envelope.ts";
import type { Sql } from "./sql.ts";
import type { Outgoing } from "./transport.ts";

/** What a store can do. */
export interface StoreCapabilities {
  /** In words: what a resolved transaction survives. */
  readonly durability: string;
  /** Whether a user's own SQL runs in it. */
  readonly sql: boolean;
}

/**
 * One service's memory: a database, seen by one service.
 *
 * Every part is this service's alone: two services may share a database, never a row. Time is the store's.
 */
export interface Store {
  readonly name: string;
  /** The service that it belongs to. */
  readonly service: string;
  readonly capabilities: StoreCapabilities;
  /** Opens it and brings its tables up to date. May be called twice. */
  open(): Promise<void>;
  close(): Promise<void>;
  /** The store's time in milliseconds since the epoch. */
  now(): MaybePromise<number>;
  /**
   * Runs `work` in one transaction; rolls back when it throws.
   *
   * Resolves once the commit is durable. `work` that returns no promise may share its commit with others.
   * @throws PR_STORE_FAILED, PR_STORE_FULL and what `work` throws
   */
  transaction<Result>(work: (transaction: StoreTransaction) => MaybePromise<Result>): Promise<Result>;
  /** Committed rows, outside any transaction. */
  readonly read: Sql;
  readonly inbox: InboxReader;
  readonly held: HeldReader;
  readonly starts: Starts;
  readonly schedule: ScheduleReader;
  readonly deadLetters: DeadLetterReader;
  readonly outbox: OutboxReader;
  readonly effects: Effects;
  readonly leases: Leases;
  readonly progress: ProgressBoard;
  /** Deletes what retention no longer keeps, a bounded batch at a time. Returns how many rows went. */
  cleanUp(policy: RetentionPolicy): Promise<number>;
}

/** How long a store remembers, in milliseconds. */
export interface RetentionPolicy {
  readonly inboxMs: number;
  readonly effectsMs: number;
  /** Failed, quarantined and unsent letters are kept until somebody deals with them; this is for expired and unhandled ones. */
  readonly asideMs: number;
  readonly batchRows: number;
}

/** The parts of a store inside one transaction. */
export interface StoreTransaction extends Sql {
  /** The vendor's or ORM's own handle. */
  readonly raw: unknown;
  readonly inbox: InboxWriter;
  readonly outbox: OutboxWriter;
  readonly schedule: ScheduleWriter;
  readonly held: HeldWriter;
  readonly deadLetters: DeadLetterWriter;
}

/** What the inbox knows of a message: it is new, done before with the same body, or its id was used for another body. */
export type InboxVerdict = "first" | "repeated" | "conflicting";

/** What the inbox keeps of a completed message. */
export interface InboxEntry {
  /** The contract that was handled: each handler of a service remembers for itself. */
  readonly handler: string;
  readonly messageId: string;
  /** Hash of the body, to tell a repeated message from a reused id. */
  readonly bodyHash: string;
}

/** Inbox inside a transaction. */
export interface InboxWriter {
  /** Remembers a message as completed by this commit; says if it was before. Waits for a rival that is about to commit the same. */
  record(entry: InboxEntry): MaybePromise<InboxVerdict>;
}

/** Inbox outside a transaction. */
export interface InboxReader {
  /** What is known of a message now. */
  check(entry: InboxEntry): MaybePromise<InboxVerdict>;
  count(): Promise<number>;
}

/** Outbox inside a transaction. */
export interface OutboxWriter {
  /** Messages that leave once this commits, per key in this order. */
  append(messages: readonly Outgoing[]): MaybePromise<void>;
}

/** Outgoing rows that wait for their relay. */
export interface OutboxReader {
  /** Leases the oldest unsent rows of some hash ranges of keys. */
  claim(options: { readonly limit: number; readonly owner: string; readonly leaseMs: number }): Promise<readonly OutboxRow[]>;
  /** Marks rows as sent. Rows whose lease was lost are left alone. */
  done(rows: readonly OutboxRow[]): Promise<void>;
  /** Gives rows back unsent, not to be tried before `retryAt`; until then no later row of their key is claimed. */
  giveBack(rows: readonly OutboxRow[], retryAt: number): Promise<void>;
  /** Removes a row that can never be sent and adds its letter, in one transaction. False, and nothing done, when its lease was lost. */
  bury(row: OutboxRow, letter: DeadLetter): Promise<boolean>;
  depth(): Promise<number>;
  /** Called when rows may have come; returns how to stop listening. */
  onAppended(listener: () => void): () => void;
}

/** An outgoing row under a lease. */
export interface OutboxRow {
  readonly sequence: number;
  readonly fence: number;
  /** How often it was given back before. */
  readonly attempts: number;
  readonly message: Outgoing;
}

/** A message to be sent later. */
export interface ScheduledMessage {
  /** Unique in the service; the message's own id unless the caller gave another. */
  readonly id: string;
  readonly dueAt: number;
  readonly message: Outgoing;
  /** Set for what recurs: how to find the next time. */
  readonly recurrence?: Recurrence;
}

/** How something recurs. */
export interface Recurrence {
  /** A cron pattern, with seconds if it has six fields. */
  readonly cron: string;
  /** An IANA time zone. */
  readonly timezone: string;
}

/** Schedule inside a transaction. */
export interface ScheduleWriter {
  /** Adds it, or replaces the one of the same id. */
  put(entry: ScheduledMessage): MaybePromise<void>;
  /** Whether it was there. */
  cancel(id: string): MaybePromise<boolean>;
  /** Whether it was there. */
  reschedule(id: string, dueAt: number): MaybePromise<boolean>;
  /** Removes and returns what is due, oldest first: the caller sends it in the same transaction. */
  takeDue(limit: number): MaybePromise<readonly ScheduledMessage[]>;
  /** The one of this id, as this transaction sees it. */
  get(id: string): MaybePromise<ScheduledMessage | undefined>;
}

/** Schedule outside a transaction. */
export interface ScheduleReader {
  /** When the next one is due, in milliseconds since the epoch. */
  nextDueAt(): MaybePromise<number | undefined>;
  list(page: Page): Promise<readonly ScheduledMessage[]>;
}

/** Why a message is held. */
export type HeldPurpose = "retry" | "parked" | "redrive";

/** A message that the store holds for one handler of its service: to be retried, parked behind a failed one of its key, or redriven. */
export interface HeldMessage {
  /** Unique in the service. */
  readonly id: string;
  readonly purpose: HeldPurpose;
  /** Not before this; undefined while it is parked. */
  readonly dueAt: number | undefined;
  readonly destination: string;
  readonly lane: number;
  /** The ordering key, where the contract has one. */
  readonly key: string | undefined;
  /** Whether others of the key wait behind it. */
  readonly isOrdered: boolean;
  readonly envelope: Envelope | undefined;
  readonly headers: Headers;
  readonly body: WireBody;
  /** Failed runs so far. */
  readonly failures: number;
  /** When it failed first, in milliseconds since the epoch. */
  readonly firstFailedAt: number | undefined;
  /** The dead letter that this is a redrive of. */
  readonly deadLetterId: string | undefined;
  /** How often it was redriven, this time included; 0 for what never was a dead letter. */
  readonly redrives: number;
}

/** Held messages inside a transaction. */
export interface HeldWriter {
  /** Adds it, or replaces the one of the same id. */
  put(entry: HeldMessage): MaybePromise<void>;
  /** Removes it under the claim's fence. @throws PR_LEASE_LOST when the claim is no longer ours */
  complete(claimed: ClaimedHeld): MaybePromise<void>;
  /** Puts it off under the claim's fence. @throws PR_LEASE_LOST */
  postpone(claimed: ClaimedHeld, change: { readonly dueAt: number; readonly failures: number; readonly firstFailedAt: number }): MaybePromise<void>;
  /** Whether a key has a retrying, redriven, parked or dead message of this destination, apart from `exceptId`. */
  isBlocked(destination: string, key: string, exceptId?: string): MaybePromise<boolean>;
  /** How many are parked behind a key. */
  parkedCount(destination: string, key: string): MaybePromise<number>;
  /** Makes the oldest parked message of a key due, unless something else still blocks the key. Whether there was one. */
  releaseNext(destination: string, key: string): MaybePromise<boolean>;
}

/** A held message under a claim. */
export interface ClaimedHeld extends HeldMessage {
  readonly fence: number;
}

/** Held messages outside a transaction. */
export interface HeldReader {
  /** Claims what is due in some lanes of a destination, oldest first. A claim that is not ended is free again after `leaseMs`. */
  claimDue(options: { readonly destination: string; readonly lanes: readonly number[] | undefined; readonly limit: number; readonly leaseMs: number }): Promise<readonly ClaimedHeld[]>;
  /** Gives claims back unrun. */
  giveBack(claimed: readonly ClaimedHeld[]): Promise<void>;
  /** The keys of some lanes that are blocked. */
  blockedKeys(destination: string, lanes: readonly number[] | undefined): Promise<readonly string[]>;
  /** When the next one is due, in milliseconds since the epoch. */
  nextDueAt(): MaybePromise<number | undefined>;
  get(id: string): Promise<HeldMessage | undefined>;
  list(page: Page & { readonly purpose?: HeldPurpose }): Promise<readonly HeldMessage[]>;
  count(): Promise<Readonly<Record<HeldPurpose, number>>>;
}

/**
 * What was begun, known before it begins. Durable against the end of the process; not necessarily of the machine.
 *
 * A transport with positions is marked a batch at a time; of one without, only redelivered messages are counted.
 */
export interface Starts {
  /** How far each lane was taken by whoever owned it before. */
  taken(destination: string, lane: number): Promise<number>;
  /** Remembers that everything up to these positions may have begun. */
  markTaken(marks: readonly TakenMark[]): Promise<void>;
  /** Counts one more lone start of a suspect, before it runs. Returns the count. */
  countStart(messageId: string): Promise<number>;
  /** Forgets counts; with the completion, or after it. */
  forget(messageIds: readonly string[]): Promise<void>;
}

/** How far a lane was taken. `position` may also go down, when what was taken is given back unrun. */
export interface TakenMark {
  readonly destination: string;
  readonly lane: number;
  readonly position: number;
}

/** Which list a message that was given up is on. `unsent` never left: its redrive sends it; all others are handed to their handler. */
export type DeadLetterList = "failed" | "unhandled" | "expired" | "quarantined" | "unsent";

/** A message given up, byte for byte, with why. */
export interface DeadLetter {
  readonly id: string;
  readonly service: string;
  readonly list: DeadLetterList;
  /** The contract's name, or the empty string where it cannot be told. */
  readonly contract: string;
  /** The envelope's id; without an envelope the id of the first letter of this message. */
  readonly messageId: string;
  readonly destination: string;
  readonly lane: number;
  readonly key: string | undefined;
  readonly isOrdered: boolean;
  readonly envelope: Envelope | undefined;
  readonly headers: Headers;
  readonly body: WireBody;
  /** A code of the error table, or the thrown error's own. */
  readonly code: string;
  readonly reason: string;
  readonly stack: string | undefined;
  /** What letters of one cause share. */
  readonly fingerprint: string;
  /** Runs of the handler. */
  readonly attempts: number;
  /** When it was given up, in milliseconds since the epoch. */
  readonly at: number;
  /** How often it was redriven. */
  readonly redrives: number;
}

/** Dead letters inside a transaction. */
export interface DeadLetterWriter {
  add(letter: DeadLetter): MaybePromise<void>;
  /** The letter, if it is there. Within the transaction nobody else takes it. */
  get(id: string): MaybePromise<DeadLetter | undefined>;
  /** Removes it; whether it was there. */
  remove(id: string): MaybePromise<boolean>;
}

/** A page of a list, by id downwards: ids begin with their time, so newest first. */
export interface Page {
  readonly limit: number;
  /** Only ids below this one: the last one seen. It need not be there any more, nor in this store. */
  readonly after?: string;
}

/** Which dead letters are meant; all parts given must hold. */
export interface DeadLetterFilter {
  readonly list?: DeadLetterList;
  readonly contract?: string;
  readonly messageId?: string;
  readonly fingerprint?: string;
  readonly key?: string;
  readonly ids?: readonly string[];
  /** Given up before this, in milliseconds since the epoch. */
  readonly before?: number;
}

/** Letters of one cause. */
export interface DeadLetterGroup {
  readonly fingerprint: string;
  readonly service: string;
  readonly contract: string;
  readonly code: string;
  readonly reason: string;
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
}

/** Dead letters outside a transaction. */
export interface DeadLetterReader {
  list(filter: DeadLetterFilter, page: Page): Promise<readonly DeadLetter[]>;
  groups(filter: DeadLetterFilter): Promise<readonly DeadLetterGroup[]>;
  get(id: string): Promise<DeadLetter | undefined>;
  count(filter: DeadLetterFilter): Promise<number>;
}

/** What the effect ledger knows of an effect. */
export type EffectState = { readonly state: "intended" } | { readonly state: "done"; readonly result: string };

/** The effect ledger: intents and results, outside any transaction, durable when they resolve. */
export interface Effects {
  /** Records the intent unless it is known; says what is known from before. */
  begin(key: string): Promise<EffectState>;
  /** Records the result, a JSON text. */
  finish(key: string, result: string): Promise<void>;
}

/** A lease under a fencing token. */
export interface Lease {
  readonly name: string;
  readonly fence: number;
}

/** Who may do what only one may do. Judged by the store's time. */
export interface Leases {
  /** Takes a lease that is free, over, or ours already (which extends it under the same fence); undefined while another holds it. */
  acquire(name: string, owner: string, leaseMs: number): Promise<Lease | undefined>;
  release(lease: Lease, owner: string): Promise<void>;
}

/** How far long work has come, by message. Outside any transaction; the last report wins. */
export interface ProgressBoard {
  /** Reports 0 … 100 and a word on it; need not be durable when it resolves. */
  report(messageId: string, progress: ProgressReport): Promise<void>;
  get(messageId: string): Promise<ProgressReport | undefined>;
}

/** A report on work under way. */
export interface ProgressReport {
  /** 0 … 100. */
  readonly percent: number;
  readonly note?: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}
