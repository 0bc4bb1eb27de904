import type { MaybePromise } from "../base/deferred.ts";
import type { UnitOfWorkSql } from "../pipeline/context.ts";
import type { SqlValue } from "../ports/sql.ts";
import type { StoreTransaction } from "../ports/store.ts";

/** What its SQL needs of a unit of work. */
export interface SqlUnit {
  /** The transaction, opened at the first call. */
  open(): Promise<StoreTransaction>;
  /** What comes before any answer: see {@link UnitOfWork.answered}. */
  answered<Answer>(answer: Promise<Answer>): Promise<Answer>;
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
    return async (text, ...parameters) => {
      const transaction = await this.#open("tx.run");
      return await this.#unit.answered(transaction.run(text, ...parameters));
    };
  }

  get get(): Statement<unknown> {
    return async (text, ...parameters) => {
      const transaction = await this.#open("tx.get");
      return await this.#unit.answered(transaction.get(text, ...parameters));
    };
  }

  get all(): Statement<unknown[]> {
    return async (text, ...parameters) => {
      const transaction = await this.#open("tx.all");
      return await this.#unit.answered(transaction.all(text, ...parameters));
    };
  }

  get raw(): () => Promise<unknown> {
    return async () => {
      const transaction = await this.#open("tx.raw");
      await this.#unit.answered(NOTHING);
      return transaction.raw;
    };
  }

  #open(call: string): MaybePromise<StoreTransaction> {
    this.#guard(call);
    return this.#unit.open();
  }
}

const NOTHING = Promise.resolve();
