import type { UnitOfWorkSql } from "../pipeline/context.ts";
import type { SqlValue } from "../ports/sql.ts";
import type { StoreTransaction } from "../ports/store.ts";

/** SQL of a transaction that opens at the first call. `open` is told which call it is for; `answered` is what comes before any answer: see {@link UnitOfWork.answered}. */
export function lazySql(
  open: (call: string) => Promise<StoreTransaction>,
  answered: <Answer>(answer: Promise<Answer>) => Promise<Answer> = (answer) => answer,
): UnitOfWorkSql {
  const sql = {
    run: async (text: string, ...parameters: readonly SqlValue[]) => answered((await open("tx.run")).run(text, ...parameters)),
    get: async (text: string, ...parameters: readonly SqlValue[]) => answered((await open("tx.get")).get(text, ...parameters)),
    all: async (text: string, ...parameters: readonly SqlValue[]) => answered((await open("tx.all")).all(text, ...parameters)),
    raw: async () => {
      const transaction = await open("tx.raw");
      await answered(NOTHING);
      return transaction.raw;
    },
  };
  return sql as UnitOfWorkSql; // the row types are the caller's word, as everywhere in Sql
}

const NOTHING = Promise.resolve();
