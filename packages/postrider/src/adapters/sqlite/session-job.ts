import { isPromise } from "../../base/deferred.ts";
import type { MaybePromise } from "../../base/deferred.ts";
import { isPostriderError, presentable } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import type { StorePlace } from "./place.ts";
import { SqliteTransaction } from "./transaction.ts";
import type { Job, Turn } from "./turn.ts";
import { wrapVendorError } from "./vendor-error.ts";

/** What a session needs of its file. */
export interface SessionHost {
  /** Writes messages to their logs. @throws when one has nowhere to go */
  appendAll(turn: Turn, batch: readonly Outgoing[]): void;
  /** A session kept the writer for so long. */
  held(service: string, heldMs: number): void;
  /** A session came to nothing, alone. */
  failed(error: unknown): void;
  /** A session with outbox rows was committed. */
  outboxAppended(service: string): void;
}

// Above this a unit of work is reported: everybody else waits for the one writer.
const HELD_LONG_MS = 100;

/** One call of `transaction(work)`: runs in a turn, alone on the connection until it settles, and fails alone. */
export class SessionJob<Result> implements Job {
  readonly isVolatile = false;
  readonly isAwaited: boolean;
  readonly #place: StorePlace;
  readonly #host: SessionHost;
  readonly #work: (transaction: SqliteTransaction) => MaybePromise<Result>;
  readonly promise: Promise<Result>;
  #resolve!: (result: Result) => void;
  #reject!: (reason: unknown) => void;
  #result: Result | undefined;
  #hasOutbox = false;

  constructor(place: StorePlace, host: SessionHost, work: (transaction: SqliteTransaction) => MaybePromise<Result>, isAwaited: boolean) {
    this.#place = place;
    this.#host = host;
    this.#work = work;
    this.isAwaited = isAwaited;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get service(): string {
    return this.#place.service;
  }

  run(turn: Turn): MaybePromise<void> {
    const transaction = new SqliteTransaction(this.#place);
    let result: MaybePromise<Result>;
    try {
      result = this.#work(transaction);
    } catch (error) {
      return this.#undo(transaction, error);
    }
    return isPromise(result) ? this.#await(turn, transaction, result) : this.#complete(turn, transaction, result);
  }

  committed(): void {
    if (this.#hasOutbox) this.#host.outboxAppended(this.#place.service);
  }

  durable(): void {
    // Does nothing for one that has failed alone: its promise is rejected already.
    this.#resolve(this.#result as Result);
  }

  failed(error: PostriderError): void {
    this.#reject(error);
  }

  async #await(turn: Turn, transaction: SqliteTransaction, working: Promise<Result>): Promise<void> {
    const startedMs = this.#place.clock.monotonicMs();
    let result: Result;
    try {
      result = await working;
    } catch (error) {
      return this.#undo(transaction, error);
    } finally {
      const heldMs = this.#place.clock.monotonicMs() - startedMs;
      if (heldMs > HELD_LONG_MS) this.#host.held(this.#place.service, heldMs);
    }
    this.#complete(turn, transaction, result);
  }

  /** From here on nothing fails alone: what is thrown ends the turn. */
  #complete(turn: Turn, transaction: SqliteTransaction, result: Result): void {
    transaction.seal();
    for (const delivery of transaction.settled) delivery.cursor.finish(turn, delivery);
    if (transaction.outgoing.length > 0) this.#host.appendAll(turn, transaction.outgoing);
    this.#hasOutbox = transaction.hasOutbox;
    this.#result = result;
  }

  #undo(transaction: SqliteTransaction, error: unknown): void {
    const reason = asStoreError(error, this.#place.file);
    this.#host.failed(reason);
    this.#reject(reason);
    transaction.undo(error);
  }
}

/** An error of `work` as it is, the vendor's as one of the table. */
function asStoreError(thrown: unknown, file: string): unknown {
  const error = presentable(thrown);
  if (isPostriderError(error)) return error;
  const isVendors = typeof error === "object" && error !== null && (error as { code?: unknown }).code === "ERR_SQLITE_ERROR";
  return isVendors ? wrapVendorError(error, file, "a transaction") : error;
}
