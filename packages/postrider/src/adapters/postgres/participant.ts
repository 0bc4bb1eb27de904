import type { MaybePromise } from "../../base/deferred.ts";
import type { PgQuery, PgResult } from "./connection.ts";

/** Where a participant writes: the transaction's own connection. */
export interface TransactionConnection {
  query(query: PgQuery): Promise<PgResult>;
}

/**
 * What a transaction writes besides the SQL of its work: enlisted messages and settled deliveries.
 *
 * Written as late as possible, because readers wait for whoever has taken positions and not committed.
 */
export interface Participant {
  /** Called once the work is done: sends its statements, which are answered together with the commit, and gives their outcomes. What any throws is the transaction's error. */
  flush(connection: TransactionConnection): MaybePromise<readonly Promise<unknown>[]>;
  /** The commit is durable. */
  committed(): void;
  /** It came to nothing, or nobody knows what it came to. */
  rolledBack(): void;
}

/** A transaction that others take part in. */
export interface Joinable {
  /** The participant, made at the first call. @throws PR_CONTEXT_SEALED once the work has ended */
  join(make: () => Participant): Participant;
}

/** Commits participants of transactions that did nothing else, many in one commit. Each settles for itself. */
export interface GroupCommit {
  commit(participant: Participant): Promise<void>;
}
