import type { MaybePromise } from "../../base/deferred.ts";
import type { Sql } from "../../ports/sql.ts";
import type { DeadLetterReader } from "../../ports/dead-letters.ts";
import type { Effects } from "../../ports/effects.ts";
import type { HeldReader } from "../../ports/held.ts";
import type { InboxReader } from "../../ports/inbox.ts";
import type { Leases } from "../../ports/leases.ts";
import type { OutboxReader } from "../../ports/outbox.ts";
import type { ProgressBoard } from "../../ports/progress.ts";
import type { RetentionPolicy, Store, StoreCapabilities, StoreTransaction } from "../../ports/store.ts";
import type { ScheduleReader } from "../../ports/schedule.ts";
import type { Starts } from "../../ports/starts.ts";
import { StoreAccess } from "./access.ts";
import { cleanUp } from "./clean-up.ts";
import type { MemoryCore } from "./core.ts";
import { memoryDeadLetterReader } from "./dead-letters.ts";
import { memoryHeldReader } from "./held.ts";
import { memoryInboxReader } from "./inbox.ts";
import { memoryEffects, memoryLeases, memoryProgress, memoryStarts } from "./keepers.ts";
import { memoryOutboxReader } from "./outbox.ts";
import { memoryScheduleReader } from "./schedule.ts";
import { MemoryStoreTransaction } from "./store-transaction.ts";

/** One service's rows in a world. Transactions are serializable: one at a time over all services of the world. */
export class MemoryStore implements Store {
  readonly name = "memory";
  readonly service: string;
  readonly capabilities: StoreCapabilities = { durability: "nothing outlives the process", sql: true };
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
  readonly #access: StoreAccess;

  constructor(core: MemoryCore, service: string) {
    const access = new StoreAccess(core, service);
    this.service = service;
    this.#access = access;
    this.read = core.sql.committed;
    this.inbox = memoryInboxReader(access);
    this.held = memoryHeldReader(access);
    this.starts = memoryStarts(access);
    this.schedule = memoryScheduleReader(access);
    this.deadLetters = memoryDeadLetterReader(access);
    this.outbox = memoryOutboxReader(access);
    this.effects = memoryEffects(access);
    this.leases = memoryLeases(access);
    this.progress = memoryProgress(access);
  }

  /** The world that it belongs to. */
  get core(): MemoryCore {
    return this.#access.core;
  }

  open(): Promise<void> {
    return this.#access.direct(() => undefined);
  }

  close(): Promise<void> {
    this.#access.close();
    return Promise.resolve();
  }

  now(): number {
    return this.core.clock.now();
  }

  transaction<Result>(work: (transaction: StoreTransaction) => MaybePromise<Result>): Promise<Result> {
    return this.#access.run((unit, tables) => work(new MemoryStoreTransaction(unit, this.core, tables)));
  }

  cleanUp(policy: RetentionPolicy): Promise<number> {
    return this.#access.run((unit, tables) => cleanUp(unit, tables, policy, this.now()));
  }
}
