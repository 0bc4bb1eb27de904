import type { Clock } from "../../base/clock.ts";
import type { MaybePromise } from "../../base/deferred.ts";
import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { MemoryCore } from "./core.ts";
import type { MemoryTables } from "./tables.ts";
import type { MemoryUnit } from "./transactions.ts";

/** How the parts of one opened store reach its rows: not beyond its close, nor beyond a crash. */
export class StoreAccess {
  readonly core: MemoryCore;
  readonly #tables: MemoryTables;
  readonly #generation: number;
  #isClosed = false;

  constructor(core: MemoryCore, service: string) {
    this.core = core;
    this.#tables = core.tables(service);
    this.#generation = core.generation;
  }

  get clock(): Clock {
    return this.core.clock;
  }

  /** The rows. @throws PR_STORE_CLOSED */
  get tables(): MemoryTables {
    if (this.#isGone()) throw closed();
    return this.#tables;
  }

  close(): void {
    this.#isClosed = true;
  }

  /** Reads or writes what no transaction writes, at once. */
  async direct<Result>(work: (tables: MemoryTables) => Result): Promise<Result> {
    this.core.turns.note();
    return work(this.tables);
  }

  /** Runs a transaction of its own. */
  run<Result>(work: (unit: MemoryUnit, tables: MemoryTables) => MaybePromise<Result>): Promise<Result> {
    if (this.#isGone()) return Promise.reject(closed());
    return this.core.transactions.run((unit) => work(unit, this.#tables));
  }

  #isGone(): boolean {
    return this.#isClosed || this.#generation !== this.core.generation;
  }
}

function closed(): PostriderError {
  return fail("PR_STORE_CLOSED", { store: "memory", during: "a call" });
}
