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
import type { Sql } from "../../ports/sql.ts";
import type { Starts } from "../../ports/starts.ts";
import type { RetentionPolicy, Store, StoreCapabilities, StoreTransaction, StoreTransactionOptions } from "../../ports/store.ts";
import { AppendGroup } from "./append-group.ts";
import { foreignLease } from "./foreign-transaction.ts";
import { leaseIn } from "./lease.ts";
import type { PgLease } from "./lease.ts";
import { outboxParts } from "./outbox-parts.ts";
import type { PgOutboxReader } from "./outbox-reader.ts";
import { NOTIFY } from "./outbox-signal.ts";
import type { OutboxSignal } from "./outbox-signal.ts";
import { SharedTransactions } from "./shared-transactions.ts";
import { bound, NOW_MS, statement } from "./statement.ts";
import type { Run } from "./statement.ts";
import type { StoreHost } from "./store-host.ts";
import { storeParts } from "./store-parts.ts";
import type { StoreParts } from "./store-parts.ts";
import type { StorePlace } from "./store-place.ts";
import { storeTables } from "./store-tables.ts";
import { PgTransaction } from "./transaction.ts";
import type { TransactionPlace } from "./transaction.ts";
import { isServerAway, isServerError, wrapStoreError } from "./vendor-error.ts";

const NOW = statement(`select ${NOW_MS} as now`);

/**
 * One service's tables in a PostgreSQL schema. All of it needs `open()` first.
 *
 * Concurrency: a transaction holds one connection of the pool until it ends; more of them than connections wait for each other.
 * Time is the server's. Isolation is *read committed*: whoever reads a row in order to change it, reads it `for update`.
 */
export class PgStore implements Store {
  readonly name = "postgres";
  readonly service: string;
  readonly capabilities: StoreCapabilities = {
    durability: "the end of the process and, as long as the server's synchronous_commit and fsync are on, a power cut",
    sql: true,
  };
  readonly #host: StoreHost;
  readonly #run: Run;
  readonly #place: TransactionPlace;
  readonly #signal: OutboxSignal;
  readonly #outbox: PgOutboxReader;
  readonly #parts: StoreParts;
  readonly #sharing: SharedTransactions;
  #isOpen = false;

  constructor(host: StoreHost, service: string) {
    this.service = service;
    this.#host = host;
    const { connections, isPrepared } = host;
    const name = `postgres (${service})`;
    this.#run = async (one, ...values) => {
      this.#assertOpen("a part of it");
      try {
        return await connections.query(bound(one, values, isPrepared));
      } catch (error) {
        throw wrapStoreError(error, name, "a part of the store");
      }
    };
    const place: StorePlace = { service, schema: host.quotedSchema };
    const tables = storeTables(place);
    this.#place = {
      store: name,
      service,
      tables,
      isPrepared,
      clock: host.clock,
      begin: host.begin,
      borrow: () => borrow(host, name, true),
      groupCommit: () => host.groupCommit,
      appendGroup: new AppendGroup(tables.outbox, this.#run),
    };
    const { signal, reader } = outboxParts({ place, run: this.#run, host });
    this.#signal = signal;
    this.#outbox = reader;
    this.#sharing = new SharedTransactions({
      place: { ...this.#place, borrow: () => borrow(host, name, false) }, // a backlog can wait: whoever asks for a transaction of its own, such as an HTTP request, goes first
      onCommitted: (transaction) => this.#committed(transaction),
      isKnown: async (entry) => (await this.#parts.inbox.check(entry)) !== "first",
      places: host.places.count,
    });
    this.#parts = storeParts({ place, tables: this.#place.tables, run: this.#run, host, name });
  }

  async open(): Promise<void> {
    try {
      await this.#host.enter(this);
    } catch (error) {
      throw wrapStoreError(error, this.#place.store, "its opening");
    }
    this.#isOpen = true;
  }

  async close(): Promise<void> {
    await this.#outbox.close();
    this.#isOpen = false;
    await this.#host.leave(this);
  }

  async now(): Promise<number> {
    return Number((await this.#run(NOW)).rows[0]!["now"]);
  }

  async transaction<Result>(
    work: (transaction: StoreTransaction) => MaybePromise<Result>,
    { mayShare = false }: StoreTransactionOptions = {},
  ): Promise<Result> {
    this.#assertOpen("transaction");
    try {
      return await (mayShare ? this.#sharing.transact(work) : this.#alone(work));
    } catch (error) {
      throw asStoreError(error, this.#place.store);
    }
  }

  within(handle: unknown): Pick<Store, "transaction"> {
    const lease = foreignLease(handle);
    const place = { ...this.#place, begin: undefined, borrow: () => Promise.resolve(lease), isPrepared: false };
    return {
      transaction: async (work) => {
        this.#assertOpen("transaction");
        const transaction = new PgTransaction(place);
        const result = await work(transaction);
        // Heard with the caller's commit, whenever that is.
        if (transaction.hasOutbox) transaction.defer(NOTIFY, this.#signal.channel);
        await transaction.commit();
        return result;
      },
    };
  }

  isAway(error: unknown): boolean {
    return isServerAway(error, this.#place.store);
  }

  async cleanUp(policy: RetentionPolicy): Promise<number> {
    return this.#parts.cleanUp(policy);
  }

  get read(): Sql {
    return this.#parts.read;
  }

  get inbox(): InboxReader {
    return this.#parts.inbox;
  }

  get held(): HeldReader {
    return this.#parts.held;
  }

  get starts(): Starts {
    return this.#parts.starts;
  }

  get schedule(): ScheduleReader {
    return this.#parts.schedule;
  }

  get deadLetters(): DeadLetterReader {
    return this.#parts.deadLetters;
  }

  get outbox(): OutboxReader {
    return this.#outbox;
  }

  get effects(): Effects {
    return this.#parts.effects;
  }

  get leases(): Leases {
    return this.#parts.leases;
  }

  get progress(): ProgressBoard {
    return this.#parts.progress;
  }

  async #alone<Result>(work: (transaction: StoreTransaction) => MaybePromise<Result>): Promise<Result> {
    const transaction = new PgTransaction(this.#place);
    try {
      const result = await work(transaction);
      await transaction.commit();
      this.#committed(transaction);
      return result;
    } catch (error) {
      await transaction.rollBack();
      throw transaction.asThrown(error);
    } finally {
      await transaction.release();
    }
  }

  #committed(transaction: PgTransaction): void {
    if (transaction.hasOutbox) this.#signal.appended(transaction.outboxKinds);
  }

  #assertOpen(during: string): void {
    if (!this.#isOpen) throw fail("PR_STORE_CLOSED", { store: this.#place.store, during });
  }
}

async function borrow({ places, connections }: StoreHost, name: string, goesFirst: boolean): Promise<PgLease> {
  try {
    return await leaseIn(places, connections, goesFirst);
  } catch (error) {
    throw wrapStoreError(error, name, "a new connection");
  }
}

/** What the work has thrown, as it is; but what came from the server through `tx.raw` as one of the table, so that a conflict is known as one. */
function asStoreError(error: unknown, store: string): unknown {
  return isServerError(error) ? wrapStoreError(error, store, "a statement of tx.raw") : error;
}
