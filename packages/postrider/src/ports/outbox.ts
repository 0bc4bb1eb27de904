import type { MaybePromise } from "../base/deferred.ts";
import type { ContractKind } from "../contracts/contract.ts";
import type { Outgoing } from "../envelope/envelope.ts";
import type { DeadLetter } from "./dead-letters.ts";

/** Outbox inside a transaction. */
export interface OutboxWriter {
  /** Messages that leave once this commits, per key in this order. */
  append(messages: readonly Outgoing[]): MaybePromise<void>;
}

/** Outgoing rows that wait for their relay. */
export interface OutboxReader {
  /** Leases the oldest unsent rows that go to destinations of one kind: what waits for one broker never stands before what waits for another. */
  claim(options: OutboxClaim): Promise<readonly OutboxRow[]>;
  /** Marks rows as sent. Rows whose lease was lost are left alone. */
  done(rows: readonly OutboxRow[]): Promise<void>;
  /** Gives rows back unsent, not to be tried before `retryAt`; until then no later row of their key is claimed. */
  giveBack(rows: readonly OutboxRow[], retryAt: number): Promise<void>;
  /** Removes a row that can never be sent and adds its letter, in one transaction. False, and nothing done, when its lease was lost. */
  bury(row: OutboxRow, letter: DeadLetter): Promise<boolean>;
  depth(): Promise<number>;
  /** Called after each commit here that left rows, and when rows of other processes may have come: of one kind, or of any. Returns how to stop listening. */
  onAppended(listener: (kind?: ContractKind) => void): () => void;
  /** How its rows are found. Absent, or undefined, where there is only one way. */
  status?(): Promise<OutboxStatus | undefined>;
}

/** How the rows of an outbox are found that can be read from the database's own log too. */
export interface OutboxStatus {
  /** `standby`: another process hands them out. `polling` also while the log cannot be read. */
  readonly by: "replication" | "polling" | "standby";
  /** What the database keeps of its log for this outbox alone, in bytes; undefined while it keeps nothing. */
  readonly keptBytes: number | undefined;
  /** What of the log is not settled yet, in bytes. */
  readonly lagBytes: number | undefined;
  /** In the database's words. */
  readonly slot: string;
  readonly walStatus: string | undefined;
}

/** What a relay asks for. */
export interface OutboxClaim {
  readonly kind: ContractKind;
  readonly limit: number;
  readonly owner: string;
  readonly leaseMs: number;
}

/** An outgoing row under a lease. */
export interface OutboxRow {
  readonly sequence: number;
  readonly fence: number;
  /** How often it was given back before. */
  readonly attempts: number;
  readonly message: Outgoing;
}
