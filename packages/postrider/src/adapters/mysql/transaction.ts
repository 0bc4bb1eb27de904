import type { MaybePromise } from "../../base/deferred.ts";
import { fail, isPostriderError } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import type { DeadLetterWriter } from "../../ports/dead-letters.ts";
import type { HeldWriter } from "../../ports/held.ts";
import type { InboxWriter } from "../../ports/inbox.ts";
import type { OutboxWriter } from "../../ports/outbox.ts";
import type { ScheduleWriter } from "../../ports/schedule.ts";
import type { SqlRow, SqlValue } from "../../ports/sql.ts";
import type { StoreTransaction } from "../../ports/store.ts";
import type { MysqlConnection, MysqlValue } from "./connection.ts";
import { resultOf } from "./place.ts";
import type { MysqlResult, Run } from "./place.ts";
import { deadLetterWriter } from "./store-dead-letters.ts";
import { heldWriter } from "./store-held.ts";
import { inboxWriter } from "./store-inbox.ts";
import { outboxWriter } from "./store-outbox.ts";
import { scheduleWriter } from "./store-schedule.ts";
import { assertForUsers, bindable, isDefinition } from "./user-sql.ts";
import { isConflict, wrapStoreError } from "./vendor-error.ts";

/** What a transaction needs of its store. */
export interface TransactionPlace {
  /** For error texts. */
  readonly store: string;
  readonly service: Buffer;
  readonly borrow: () => Promise<MysqlConnection>;
}

const MAX_FIRST_ATTEMPTS = 50;

/**
 * One unit of work, on a connection of its own from its first statement on.
 *
 * States: *open*; *lost* (the server has rolled it back: every further statement throws why, since it would run outside any transaction); *sealed* (the work has ended).
 */
export class MysqlTransaction implements StoreTransaction {
  readonly #place: TransactionPlace;
  #connection: Promise<MysqlConnection> | undefined;
  #lost: PostriderError | undefined;
  #isBegun = false;
  #statements = 0;
  #isBroken = false;
  /** Written right before the commit: the locks of their keys are held until then. */
  readonly #outgoing: Outgoing[] = [];
  readonly #pending = new Set<Promise<unknown>>();
  #isSealed = false;

  constructor(place: TransactionPlace) {
    this.#place = place;
  }

  /** A promise of this transaction's `mysql2` connection. Not for its begin or end, not to be kept, and not for definitions, which would commit it. */
  get raw(): Promise<unknown> {
    return this.#begin("tx.raw");
  }

  get inbox(): InboxWriter {
    const writer = inboxWriter(this.#place.service, this.statement);
    return { record: (entry) => this.#alone(() => writer.record(entry)) };
  }

  get outbox(): OutboxWriter {
    return { append: (messages) => void this.#outgoing.push(...messages) };
  }

  get schedule(): ScheduleWriter {
    return scheduleWriter(this.#place.service, this.statement);
  }

  get held(): HeldWriter {
    return heldWriter(this.#place.service, this.statement);
  }

  get deadLetters(): DeadLetterWriter {
    return deadLetterWriter(this.#place.service, this.statement);
  }

  /** Whether outbox rows may have come. */
  get hasOutbox(): boolean {
    return this.#outgoing.length > 0;
  }

  async run(sql: string, ...parameters: readonly SqlValue[]): Promise<{ readonly changes: number }> {
    return { changes: (await this.#track(this.#user("tx.run", sql, parameters))).changes };
  }

  async get<Row extends object = SqlRow>(sql: string, ...parameters: readonly SqlValue[]): Promise<Row | undefined> {
    return (await this.#track(this.#user("tx.get", sql, parameters))).rows[0] as Row | undefined;
  }

  async all<Row extends object = SqlRow>(sql: string, ...parameters: readonly SqlValue[]): Promise<Row[]> {
    return (await this.#track(this.#user("tx.all", sql, parameters))).rows as Row[];
  }

  /** Runs a statement of our own. */
  readonly statement: Run = (sql, ...values) => this.#track(this.#execute("a part of the store", sql, [...values]));

  /** Ends it. @throws when it could not be committed, or nobody knows whether it was */
  async commit(): Promise<void> {
    await this.#settled();
    if (this.#outgoing.length > 0) await outboxWriter(this.#place.service, this.statement).append(this.#outgoing);
    this.#isSealed = true;
    const connection = await this.#connection;
    if (this.#lost !== undefined) throw this.#lost;
    if (connection === undefined || !this.#isBegun) return;
    await connection.query("commit").catch((error: unknown) => {
      this.#isBroken = true;
      throw wrapStoreError(error, this.#place.store, "the commit, which may have been done");
    });
  }

  /** Undoes everything. A connection that cannot even do that is closed, and the server rolls back. */
  async rollBack(): Promise<void> {
    this.#isSealed = true;
    await this.#settled();
    const connection = await this.#connection?.catch(() => undefined);
    if (connection === undefined || !this.#isBegun) return;
    await connection.query("rollback").catch(() => (this.#isBroken = true));
  }

  /** Gives the connection back. */
  async release(): Promise<void> {
    const connection = await this.#connection?.catch(() => undefined);
    connection?.removeListener("error", this.#onError);
    if (this.#isBroken) connection?.destroy();
    else connection?.release();
  }

  /**
   * Runs what may be the first of the transaction; again from the begin where it lost to a rival, since nothing is lost with it.
   *
   * Rivals for one new row deadlock here when the one that had it rolls back: the server lets all of them hold the gap that it leaves, and each waits for the others to insert.
   */
  async #alone<Result>(work: () => MaybePromise<Result>): Promise<Result> {
    const isFirst = !this.#isBegun;
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (!isFirst || attempt === MAX_FIRST_ATTEMPTS || this.#statements > attempt || !isPostriderError(error, "PR_STORE_CONFLICT"))
          throw error;
        await (await this.#connection)?.query("rollback");
        this.#lost = undefined;
        this.#isBegun = false;
      }
    }
  }

  /** What nobody awaited is waited for: it must not run behind the commit, outside any transaction. */
  #track<Result>(statement: Promise<Result>): Promise<Result> {
    this.#pending.add(statement);
    const done = (): void => void this.#pending.delete(statement);
    statement.then(done, done);
    return statement;
  }

  async #settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending);
  }

  async #user(call: string, sql: string, parameters: readonly SqlValue[]): Promise<MysqlResult> {
    assertForUsers(sql);
    if (!isDefinition(sql)) return this.#execute(call, sql, bindable(parameters));
    // It would commit what was written before it, so it may only come first; the transaction begins behind it.
    if (this.#isBegun)
      throw fail("PR_FEATURE_REFUSED", {
        feature: "a definition within a transaction",
        adapter: "mysql",
        reason: "the server would commit all that was done before it",
      });
    const connection = await this.#borrow(call);
    return this.#guarded(call, () => connection.query(sql));
  }

  async #execute(call: string, sql: string, values: MysqlValue[]): Promise<MysqlResult> {
    this.#statements++;
    const connection = await this.#begin(call);
    return this.#guarded(call, () => connection.execute(sql, values));
  }

  async #guarded(call: string, statement: () => Promise<readonly [unknown, unknown]>): Promise<MysqlResult> {
    try {
      return resultOf(await statement());
    } catch (error) {
      const wrapped = wrapStoreError(error, this.#place.store, call);
      if (isConflict(error)) this.#lost = wrapped;
      throw wrapped;
    }
  }

  async #begin(call: string): Promise<MysqlConnection> {
    const connection = await this.#borrow(call);
    if (this.#lost !== undefined) throw this.#lost;
    if (!this.#isBegun) {
      this.#isBegun = true;
      // Sent one after another by the client; where one fails what follows them does too, or the commit.
      const begun = [connection.query("set transaction isolation level read committed"), connection.query("start transaction")];
      void Promise.all(begun).catch(
        (error: unknown) => (this.#lost ??= wrapStoreError(error, this.#place.store, "the begin of a transaction")),
      );
    }
    return connection;
  }

  async #borrow(call: string): Promise<MysqlConnection> {
    if (this.#isSealed) throw fail("PR_CONTEXT_SEALED", { call, handler: `a transaction of ${this.#place.store}` });
    this.#connection ??= this.#place.borrow().then((connection) => {
      // Without a listener an error between two statements would end the process.
      connection.on("error", this.#onError);
      return connection;
    });
    return this.#connection;
  }

  readonly #onError = (error: Error): void => {
    this.#isBroken = true;
    this.#lost ??= wrapStoreError(error, this.#place.store, "a transaction");
  };
}
