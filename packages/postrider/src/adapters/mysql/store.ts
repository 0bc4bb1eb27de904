import type { MaybePromise } from "../../base/deferred.ts";
import { fail } from "../../base/errors.ts";
import type { DeadLetterReader } from "../../ports/dead-letters.ts";
import type { Effects } from "../../ports/effects.ts";
import type { HeldReader } from "../../ports/held.ts";
import type { InboxReader } from "../../ports/inbox.ts";
import type { Leases } from "../../ports/leases.ts";
import type { OutboxReader } from "../../ports/outbox.ts";
import type { ProgressBoard } from "../../ports/progress.ts";
import type { ScheduleReader } from "../../ports/schedule.ts";
import type { Sql, SqlRow, SqlValue } from "../../ports/sql.ts";
import type { Starts } from "../../ports/starts.ts";
import type { RetentionPolicy, Store, StoreCapabilities, StoreTransaction } from "../../ports/store.ts";
import { toBytes } from "./columns.ts";
import type { MysqlConnections } from "./connection.ts";
import { NOW_MS, resultOf } from "./place.ts";
import type { MysqlResult, Run, Transact } from "./place.ts";
import type { Places } from "./places.ts";
import { deadLetterReader } from "./store-dead-letters.ts";
import { heldReader } from "./store-held.ts";
import { inboxReader } from "./store-inbox.ts";
import { cleanUp, effects, leases, progressBoard, starts } from "./store-keepers.ts";
import { outboxReader } from "./store-outbox.ts";
import { scheduleReader } from "./store-schedule.ts";
import { MysqlTransaction } from "./transaction.ts";
import type { TransactionPlace } from "./transaction.ts";
import { assertForUsers, bindable } from "./user-sql.ts";
import { isServerAway, isServerError, wrapStoreError } from "./vendor-error.ts";

/** What a store needs of its database. */
export interface StoreHost {
  readonly connections: MysqlConnections;
  readonly places: Places;
  enter(user: object, service: Buffer): Promise<void>;
  leave(user: object): Promise<void>;
}

/**
 * One service's tables in a MySQL or MariaDB database. All of it needs `open()` first.
 *
 * Concurrency: a transaction holds one connection of the pool until it ends. Time is the server's. Isolation is *read committed*.
 * Definitions (`create table` …) commit by themselves in these databases: in a transaction one may only come first.
 */
export class MysqlStore implements Store {
  readonly name = "mysql";
  readonly service: string;
  readonly capabilities: StoreCapabilities = {
    durability: "the end of the process and, as long as innodb_flush_log_at_trx_commit is 1, a power cut",
    sql: true,
  };
  readonly inbox: InboxReader;
  readonly held: HeldReader;
  readonly starts: Starts;
  readonly schedule: ScheduleReader;
  readonly deadLetters: DeadLetterReader;
  readonly outbox: OutboxReader;
  readonly effects: Effects;
  readonly leases: Leases;
  readonly progress: ProgressBoard;
  readonly read: Sql;
  readonly #host: StoreHost;
  readonly #key: Buffer;
  readonly #place: TransactionPlace;
  readonly #listeners = new Set<() => void>();
  #isOpen = false;

  constructor(host: StoreHost, service: string) {
    this.service = service;
    this.#host = host;
    this.#key = toBytes(service);
    this.#place = { store: `mysql (${service})`, service: this.#key, borrow: () => this.#borrow() };
    const [key, run, transact] = [this.#key, this.#run, this.#transact];
    this.inbox = inboxReader(key, run);
    this.held = heldReader(key, run, transact);
    this.starts = starts(key, run);
    this.schedule = scheduleReader(key, run);
    this.deadLetters = deadLetterReader(key, run);
    this.outbox = outboxReader(key, run, transact, (listener) => this.#listen(listener));
    this.effects = effects(key, run);
    this.leases = leases(key, run, transact);
    this.progress = progressBoard(key, run);
    this.read = this.#committedRows();
  }

  async open(): Promise<void> {
    try {
      await this.#host.enter(this, this.#key);
    } catch (error) {
      throw wrapStoreError(error, this.#place.store, "its opening");
    }
    this.#isOpen = true;
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    await this.#host.leave(this);
  }

  async now(): Promise<number> {
    return Number((await this.#run(`select ${NOW_MS} as now`)).rows[0]!["now"]);
  }

  async transaction<Result>(work: (transaction: StoreTransaction) => MaybePromise<Result>): Promise<Result> {
    this.#assertOpen("transaction");
    const transaction = new MysqlTransaction(this.#place);
    return this.#host.places.within(async () => {
      try {
        const result = await work(transaction);
        await transaction.commit();
        return result;
      } catch (error) {
        await transaction.rollBack();
        throw isServerError(error) ? wrapStoreError(error, this.#place.store, "a statement of tx.raw") : error;
      } finally {
        await transaction.release();
        if (transaction.hasOutbox) for (const listener of this.#listeners) listener();
      }
    });
  }

  isAway(error: unknown): boolean {
    return isServerAway(error, this.#place.store);
  }

  async cleanUp(policy: RetentionPolicy): Promise<number> {
    return cleanUp(this.#key, this.#run, policy);
  }

  readonly #run: Run = async (sql, ...values) => {
    this.#assertOpen("a part of it");
    try {
      return resultOf(await this.#host.connections.execute(sql, [...values]));
    } catch (error) {
      throw wrapStoreError(error, this.#place.store, "a part of the store");
    }
  };

  readonly #transact: Transact = (work) => this.transaction((transaction) => work((transaction as MysqlTransaction).statement));

  async #borrow(): ReturnType<MysqlConnections["borrow"]> {
    try {
      return await this.#host.connections.borrow();
    } catch (error) {
      throw wrapStoreError(error, this.#place.store, "a new connection");
    }
  }

  #listen(listener: () => void): () => void {
    const own = (): void => listener(); // a wrapper of its own: the same listener may come twice
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  #committedRows(): Sql {
    const execute = async (call: string, sql: string, parameters: readonly SqlValue[]): Promise<MysqlResult> => {
      this.#assertOpen(call);
      assertForUsers(sql);
      const connection = await this.#borrow();
      try {
        await connection.query("start transaction read only");
        return resultOf(await connection.execute(sql, bindable(parameters)));
      } catch (error) {
        throw wrapStoreError(error, this.#place.store, call);
      } finally {
        await connection.query("rollback").then(
          () => connection.release(),
          () => connection.destroy(),
        );
      }
    };
    return {
      run: async (sql, ...parameters) => ({ changes: (await execute("read.run", sql, parameters)).changes }),
      get: async <Row extends object = SqlRow>(sql: string, ...parameters: readonly SqlValue[]) =>
        (await execute("read.get", sql, parameters)).rows[0] as Row | undefined,
      all: async <Row extends object = SqlRow>(sql: string, ...parameters: readonly SqlValue[]) =>
        (await execute("read.all", sql, parameters)).rows as Row[],
    };
  }

  #assertOpen(during: string): void {
    if (!this.#isOpen) throw fail("PR_STORE_CLOSED", { store: this.#place.store, during });
  }
}
