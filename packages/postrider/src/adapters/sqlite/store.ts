import type { MaybePromise } from "../../base/deferred.ts";
import { fail } from "../../base/errors.ts";
import type { Sql, SqlRow, SqlValue } from "../../ports/sql.ts";
import type { DeadLetterReader } from "../../ports/dead-letters.ts";
import type { Effects } from "../../ports/effects.ts";
import type { HeldReader } from "../../ports/held.ts";
import type { InboxReader } from "../../ports/inbox.ts";
import type { Leases } from "../../ports/leases.ts";
import type { OutboxReader } from "../../ports/outbox.ts";
import type { ProgressBoard } from "../../ports/progress.ts";
import type { RetentionPolicy, Store, StoreCapabilities, StoreTransaction, StoreTransactionOptions } from "../../ports/store.ts";
import type { ScheduleReader } from "../../ports/schedule.ts";
import type { Starts } from "../../ports/starts.ts";
import { cleanUp } from "./clean-up.ts";
import { bindable, prepareForUser } from "./connection.ts";
import type { Connection } from "./connection.ts";
import type { StoreAccess } from "./place.ts";
import { deadLetterReader } from "./store-dead-letters.ts";
import { heldReader } from "./store-held.ts";
import { inboxReader } from "./store-inbox.ts";
import { effects, leases, progressBoard, starts } from "./store-keepers.ts";
import { outboxReader } from "./store-outbox.ts";
import { scheduleReader } from "./store-schedule.ts";
import type { SqliteTransaction } from "./transaction.ts";
import { wrapVendorError } from "./vendor-error.ts";

/** What a store needs of its file. */
export interface StoreHost {
  readonly durability: string;
  /** The open file's parts. @throws PR_STORE_CLOSED */
  access(service: string): StoreAccess;
  /** @param isAwaited it goes before what is delivered, as far as JobQueue lets it */
  transact<Result>(service: string, work: (transaction: SqliteTransaction) => MaybePromise<Result>, isAwaited: boolean): Promise<Result>;
  /** Why nothing, or little, can be written. */
  readonly trouble: string | undefined;
  enter(user: object): Promise<void>;
  leave(user: object): Promise<void>;
  /** Who hears of new outbox rows of a service. */
  outboxListeners(service: string): Set<() => void>;
}

/**
 * One service's tables in a SQLite file. All of it needs `open()` first.
 *
 * Concurrency: one writer per file; an asynchronous transaction keeps it until it ends, so do not wait in it for anything else that writes.
 */
export class SqliteStore implements Store {
  readonly name = "sqlite";
  readonly service: string;
  readonly capabilities: StoreCapabilities;
  readonly #host: StoreHost;
  #parts: StoreParts | undefined;

  constructor(host: StoreHost, service: string) {
    this.service = service;
    this.capabilities = { durability: host.durability, sql: true };
    this.#host = host;
  }

  async open(): Promise<void> {
    await this.#host.enter(this);
    this.#parts ??= partsOf(this.#host, this.service);
  }

  async close(): Promise<void> {
    this.#parts = undefined;
    await this.#host.leave(this);
  }

  now(): number {
    return this.#open.access.clock.now();
  }

  transaction<Result>(
    work: (transaction: StoreTransaction) => MaybePromise<Result>,
    { mayShare = false }: StoreTransactionOptions = {},
  ): Promise<Result> {
    if (this.#parts === undefined) return Promise.reject(this.#closedError("transaction"));
    return this.#host.transact(this.service, work, !mayShare);
  }

  trouble(): string | undefined {
    return this.#host.trouble;
  }

  cleanUp(policy: RetentionPolicy): Promise<number> {
    const { access } = this.#open;
    return access.write(() => cleanUp(access, policy), { isVolatile: true });
  }

  get read(): Sql {
    return this.#open.read;
  }

  get inbox(): InboxReader {
    return this.#open.inbox;
  }

  get held(): HeldReader {
    return this.#open.held;
  }

  get starts(): Starts {
    return this.#open.starts;
  }

  get schedule(): ScheduleReader {
    return this.#open.schedule;
  }

  get deadLetters(): DeadLetterReader {
    return this.#open.deadLetters;
  }

  get outbox(): OutboxReader {
    return this.#open.outbox;
  }

  get effects(): Effects {
    return this.#open.effects;
  }

  get leases(): Leases {
    return this.#open.leases;
  }

  get progress(): ProgressBoard {
    return this.#open.progress;
  }

  get #open(): StoreParts {
    if (this.#parts === undefined) throw this.#closedError("a part of it");
    return this.#parts;
  }

  #closedError(during: string): Error {
    return fail("PR_STORE_CLOSED", { store: `sqlite (${this.service})`, during });
  }
}

interface StoreParts {
  readonly access: StoreAccess;
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
}

function partsOf(host: StoreHost, service: string): StoreParts {
  const access = host.access(service);
  return {
    access,
    read: readOnlySql(access),
    inbox: inboxReader(access),
    held: heldReader(access),
    starts: starts(access),
    schedule: scheduleReader(access),
    deadLetters: deadLetterReader(access),
    outbox: outboxReader(access, host.outboxListeners(service)),
    effects: effects(access),
    leases: leases(access),
    progress: progressBoard(access),
  };
}

function readOnlySql({ reader, file }: StoreAccess): Sql {
  const execute = <Result>(during: string, statement: (connection: Connection) => Result): Promise<Result> => {
    try {
      return Promise.resolve(statement(reader));
    } catch (error) {
      return Promise.reject(wrapVendorError(error, file, during));
    }
  };
  return {
    run: (sql, ...parameters) =>
      execute("read.run", (connection) => ({ changes: Number(prepareForUser(connection, sql).run(...bindable(parameters)).changes) })),
    get: <Row extends object = SqlRow>(sql: string, ...parameters: readonly SqlValue[]) =>
      execute("read.get", (connection) => prepareForUser(connection, sql).get(...bindable(parameters)) as Row | undefined),
    all: <Row extends object = SqlRow>(sql: string, ...parameters: readonly SqlValue[]) =>
      execute("read.all", (connection) => prepareForUser(connection, sql).all(...bindable(parameters)) as Row[]),
  };
}
