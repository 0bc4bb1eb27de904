import type { Clock } from "../../base/clock.ts";
import { MemoryBroker } from "./broker.ts";
import { MemorySql } from "./sql.ts";
import { MemoryTables } from "./tables.ts";
import { Transactions } from "./transactions.ts";
import { Turns } from "./turns.ts";

/** What a core is made of. */
export interface CoreOptions {
  readonly clock: Clock;
  readonly keepMessages: number;
  readonly revokeMs: number;
  readonly maxBodyBytes: number;
}

/** What transports and stores of one world share. */
export class MemoryCore {
  readonly clock: Clock;
  readonly maxBodyBytes: number;
  readonly turns: Turns;
  readonly transactions: Transactions;
  readonly sql: MemorySql;
  readonly broker: MemoryBroker;
  readonly #tables = new Map<string, MemoryTables>();
  readonly #onCrash = new Set<() => void>();
  #generation = 0;

  constructor(options: CoreOptions) {
    this.clock = options.clock;
    this.maxBodyBytes = options.maxBodyBytes;
    this.turns = new Turns(options.clock);
    this.transactions = new Transactions(this.turns);
    this.sql = new MemorySql(this.transactions);
    this.broker = new MemoryBroker(options);
  }

  /** Grows with each crash: what was made before is dead. */
  get generation(): number {
    return this.#generation;
  }

  /** The rows of one service. */
  tables(service: string): MemoryTables {
    let tables = this.#tables.get(service);
    if (tables === undefined) {
      tables = new MemoryTables();
      this.#tables.set(service, tables);
    }
    return tables;
  }

  /** Calls back when everything dies; returns how to take it back. */
  onCrash(listener: () => void): () => void {
    this.#onCrash.add(listener);
    return () => void this.#onCrash.delete(listener);
  }

  /** Drops everything that a process death would drop. */
  crash(): void {
    this.#generation++;
    for (const listener of this.#onCrash) listener();
    this.#onCrash.clear();
    this.broker.crash();
    this.transactions.crash();
  }
}
