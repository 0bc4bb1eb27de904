import type { Clock } from "../base/clock.ts";
import type { AnyContract, InputOfContract } from "../contracts/contract.ts";
import type { Headers, MessageKind } from "../envelope/envelope.ts";
import type { Logger } from "../ports/logger.ts";
import type { Sql } from "../ports/sql.ts";

/** What a sender may say of a message. */
export interface SendOptions {
  /** The caller's own id: the same id is handled once (a job id). Default: a new one. */
  readonly id?: string;
  /** Headers of the user's own; names of 1 … 200 visible ASCII characters, text values. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The business thread. Default: that of the message being handled, else the new message's id. */
  readonly correlationId?: string;
  /** Overrides the contract's. */
  readonly priority?: "high" | "normal";
  /** Overrides the contract's, in milliseconds from now. */
  readonly expiresAfterMs?: number;
  readonly tenant?: string;
}

/** When a scheduled message leaves. Never early. */
export type When = { readonly at: Date } | { readonly delayMs: number };

/** What a sent message is known by. */
export interface Sent {
  readonly id: string;
}

/** What a handler may read of the message that it handles. */
export interface MessageFacts {
  readonly id: string;
  readonly contract: string;
  readonly version: number;
  readonly kind: MessageKind;
  readonly source: string;
  /** When it was sent, in ISO 8601. */
  readonly time: string;
  readonly key: string | undefined;
  readonly correlationId: string;
  readonly causationId: string | undefined;
  readonly conversationId: string;
  /** The same for a message and its edited copies. */
  readonly rootId: string;
  readonly tenant: string | undefined;
  readonly headers: Headers;
  /** 1 for the first run of the handler. */
  readonly attempt: number;
  readonly isRedrive: boolean;
}

/** A unit of work's SQL. The transaction opens at the first call, the inbox row first; it is the handler's alone until it ends. */
export interface UnitOfWorkSql extends Sql {
  /** The vendor's or ORM's own handle; opens the transaction. */
  raw(): Promise<unknown>;
}

/**
 * What a handler can do besides its own work. Sealed once the unit of work has ended: using it later throws PR_CONTEXT_SEALED and is reported.
 *
 * `send`, `publish`, `reply` and `schedule` leave with the commit, or not at all.
 */
export interface HandlerContext<ReplyInput = never> {
  readonly message: MessageFacts;
  readonly tx: UnitOfWorkSql;
  /** Sends a command. Its id is the same whenever this message is handled again. */
  readonly send: <Of extends AnyContract>(contract: Of, body: InputOfContract<Of>, options?: SendOptions) => Sent;
  /** Publishes an event. Its id is the same whenever this message is handled again. */
  readonly publish: <Of extends AnyContract>(contract: Of, body: InputOfContract<Of>, options?: SendOptions) => Sent;
  /** Sends or publishes later. An `id` in the options names it, for cancel and reschedule; the same id replaces. */
  readonly schedule: <Of extends AnyContract>(contract: Of, body: InputOfContract<Of>, when: When, options?: SendOptions) => Sent;
  /** Takes back what was scheduled, with the commit. */
  readonly cancelScheduled: (id: string) => void;
  /** Answers a command that was requested; without a requester it does nothing. */
  readonly reply: (body: ReplyInput) => void;
  /** Reports how far the work has come, 0 … 100, at once and outside the unit of work. */
  readonly progress: (percent: number, note?: string) => void;
  /**
   * Does something outside at least once, with a stable key: once its result is recorded it is not done again, in no later run of this message.
   *
   * `effect` gets the idempotency key to hand on. Its result must be JSON. Call it before the first use of `tx`.
   * @throws PR_TRANSACTION_OPEN, PR_STORE_NEEDED
   */
  readonly once: <Result>(name: string, effect: (key: string, signal: AbortSignal) => Promise<Result>) => Promise<Result>;
  /** Aborts at the handler's time limit, when the lane is lost, and at the end of a drain. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Carries the message's ids on every line. */
  readonly log: Logger;
}
