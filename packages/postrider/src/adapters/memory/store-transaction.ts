import type { Sql, SqlRow, SqlValue } from "../../ports/sql.ts";
import type { DeadLetterWriter } from "../../ports/dead-letters.ts";
import type { HeldWriter } from "../../ports/held.ts";
import type { InboxWriter } from "../../ports/inbox.ts";
import type { OutboxWriter } from "../../ports/outbox.ts";
import type { ScheduleWriter } from "../../ports/schedule.ts";
import type { StoreTransaction } from "../../ports/store.ts";
import type { MemoryCore } from "./core.ts";
import { MemoryDeadLetterWriter } from "./dead-letters.ts";
import { MemoryHeldWriter } from "./held.ts";
import { MemoryInboxWriter } from "./inbox.ts";
import { MemoryOutboxWriter } from "./outbox.ts";
import { MemoryScheduleWriter } from "./schedule.ts";
import type { MemoryTables } from "./tables.ts";
import type { MemoryUnit } from "./transactions.ts";

/** The parts of a store in one transaction, each made at its first use. */
export class MemoryStoreTransaction implements StoreTransaction {
  readonly unit: MemoryUnit;
  readonly #core: MemoryCore;
  readonly #tables: MemoryTables;
  #sql: Sql | undefined;
  #inbox: InboxWriter | undefined;
  #outbox: OutboxWriter | undefined;
  #schedule: ScheduleWriter | undefined;
  #held: HeldWriter | undefined;
  #deadLetters: DeadLetterWriter | undefined;

  constructor(unit: MemoryUnit, core: MemoryCore, tables: MemoryTables) {
    this.unit = unit;
    this.#core = core;
    this.#tables = tables;
  }

  get raw(): unknown {
    return this.#core.sql.handle(this.unit);
  }

  get inbox(): InboxWriter {
    return (this.#inbox ??= new MemoryInboxWriter(this.unit, this.#tables, this.#core.clock.now()));
  }

  get outbox(): OutboxWriter {
    return (this.#outbox ??= new MemoryOutboxWriter(this.unit, this.#tables));
  }

  get schedule(): ScheduleWriter {
    return (this.#schedule ??= new MemoryScheduleWriter(this.unit, this.#tables, this.#core.clock.now()));
  }

  get held(): HeldWriter {
    return (this.#held ??= new MemoryHeldWriter(this.unit, this.#tables, this.#core.clock.now()));
  }

  get deadLetters(): DeadLetterWriter {
    return (this.#deadLetters ??= new MemoryDeadLetterWriter(this.unit, this.#tables));
  }

  run(sql: string, ...parameters: readonly SqlValue[]): Promise<{ readonly changes: number }> {
    return this.#bound().run(sql, ...parameters);
  }

  get<Row extends object = SqlRow>(sql: string, ...parameters: readonly SqlValue[]): Promise<Row | undefined> {
    return this.#bound().get<Row>(sql, ...parameters);
  }

  all<Row extends object = SqlRow>(sql: string, ...parameters: readonly SqlValue[]): Promise<Row[]> {
    return this.#bound().all<Row>(sql, ...parameters);
  }

  #bound(): Sql {
    return (this.#sql ??= this.#core.sql.within(this.unit));
  }
}
