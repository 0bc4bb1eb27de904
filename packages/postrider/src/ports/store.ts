import type { MaybePromise } from "../base/deferred.ts";
import type { DeadLetterReader, DeadLetterWriter } from "./dead-letters.ts";
import type { Effects } from "./effects.ts";
import type { HeldReader, HeldWriter } from "./held.ts";
import type { InboxReader, InboxWriter } from "./inbox.ts";
import type { Leases } from "./leases.ts";
import type { OutboxReader, OutboxWriter } from "./outbox.ts";
import type { ProgressBoard } from "./progress.ts";
import type { ScheduleReader, ScheduleWriter } from "./schedule.ts";
import type { Sql } from "./sql.ts";
import type { Starts } from "./starts.ts";

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
  transaction<Result>(work: (transaction: StoreTransaction) => MaybePromise<Result>, options?: StoreTransactionOptions): Promise<Result>;
  /**
   * The same within a transaction that the caller has begun and will end: what is written there leaves with its commit, or not at all.
   *
   * Absent where that cannot be. `handle` is what the store's vendor or an ORM calls a transaction.
   * @throws PR_CONFIG_INVALID for a handle that is none
   */
  within?(handle: unknown): Pick<Store, "transaction">;
  /**
   * Whether an error of this store says that its database could not be reached, or was lost on the way: nothing is wrong with what was asked for, and it may be asked for again once
   * `now` answers. Absent where there is nothing that could be away.
   */
  isAway?(error: unknown): boolean;
  /** Why it takes nothing new for now though it is open, in words; undefined when it does. Absent where there is no such state. */
  trouble?(): string | undefined;
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

/** How a transaction may be run. */
export interface StoreTransactionOptions {
  /**
   * Whether it may be one of several in one transaction of the database, one after another: it may then come to nothing for another's sake, which is
   * PR_STORE_CONFLICT. Run again it must ask for a transaction of its own. Default false; a store may pay no heed to it.
   */
  readonly mayShare?: boolean;
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
  /** Whether statements may go out before those before them are answered: after one that fails, none is carried out. Default false. */
  readonly isPipelined?: boolean;
  /** The vendor's own handle, or a promise of it. */
  readonly raw: unknown;
  readonly inbox: InboxWriter;
  readonly outbox: OutboxWriter;
  readonly schedule: ScheduleWriter;
  readonly held: HeldWriter;
  readonly deadLetters: DeadLetterWriter;
}
