import type { UnitOfWorkSql } from "../pipeline/context.ts";
import type { SqlValue } from "../ports/sql.ts";
import type { StoreTransaction } from "../ports/store.ts";
import { SqlAnswer } from "./sql-answer.ts";
import type { AskedUnit } from "./sql-answer.ts";

/** What its SQL needs of a unit of work. */
export interface SqlUnit extends AskedUnit {
  /** The transaction, opened at the first call. */
  open(): Promise<StoreTransaction>;
}

/** SQL of a transaction that opens at the first call. `guard` is told which call is made, and throws where it may not be. */
export function lazySql(unit: SqlUnit, guard: (call: string) => void): UnitOfWorkSql {
  return new LazySql(unit, guard) as UnitOfWorkSql; // the row types are the caller's word, as everywhere in Sql
}

type Statement<Answer> = (text: string, ...parameters: readonly SqlValue[]) => Promise<Answer>;

/** Each call is made when it is asked for, so that it can be taken off and passed on. Of a class for the reason given at {@link listOf}. */
class LazySql {
  readonly #unit: SqlUnit;
  readonly #guard: (call: string) => void;

  constructor(unit: SqlUnit, guard: (call: string) => void) {
    this.#unit = unit;
    this.#guard = guard;
  }

  get run(): Statement<{ readonly changes: number }> {
    return (text, ...parameters) => this.#ask("run", text, parameters);
  }

  get get(): Statement<unknown> {
    return (text, ...parameters) => this.#ask("get", text, parameters);
  }

  get all(): Statement<unknown[]> {
    return (text, ...parameters) => this.#ask("all", text, parameters);
  }

  get raw(): () => Promise<unknown> {
    return async () => {
      this.#guard("tx.raw");
      const transaction = await this.#unit.open();
      await this.#unit.answered(NOTHING);
      return transaction.raw;
    };
  }

  #ask<Result>(call: "run" | "get" | "all", text: string, parameters: readonly SqlValue[]): Promise<Result> {
    try {
      this.#guard(`tx.${call}`);
      return new SqlAnswer<Result>(this.#unit, this.#unit.open(), { call, text, parameters });
    } catch (error) {
      return refused(error);
    }
  }
}

async function refused(error: unknown): Promise<never> {
  throw error;
}

const NOTHING = Promise.resolve();
