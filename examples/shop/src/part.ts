import { isPostriderError } from "postrider";
import type { Infrastructure, RetryPolicy, Service } from "postrider";

type Store = ReturnType<Exclude<Infrastructure["store"], "none">>;

/** Which SQL the stores speak. The shop's own is what SQLite and PostgreSQL share; `mysql-words.ts` says it to MySQL and MariaDB. */
export type Dialect = "sqlite" | "postgres" | "mysql";

/** A service of the shop and the tables that are its own. */
export interface Part {
  readonly service: Service;
  /** Statements that may run at each start, in this order; by dialect where they differ. */
  readonly tables: readonly string[] | Readonly<Record<Dialect, readonly string[]>>;
}

const LOCK = "select pg_advisory_xact_lock(hashtext('shop tables')) as locked"; // "if not exists" alone fails when two ask at the same time

/** Brings a part's tables about. May run in several processes at once. */
export async function migrate({ tables }: Part, store: Store, dialect: Dialect): Promise<void> {
  const statements = "sqlite" in tables ? tables[dialect] : tables;
  if (dialect === "mysql") return oneByOne(store, statements);
  await store.transaction(async (tx) => {
    if (dialect === "postgres") await tx.get(LOCK);
    for (const statement of statements) await tx.run(statement);
  });
}

const ALREADY_THERE = new Set([1061, 1359]); // ER_DUP_KEYNAME, ER_TRG_ALREADY_EXISTS: not every server knows "if not exists" for these

/** MySQL commits each definition by itself. */
async function oneByOne(store: Store, statements: readonly string[]): Promise<void> {
  for (const statement of statements) {
    try {
      await store.transaction((tx) => tx.run(statement));
    } catch (error) {
      if (!isPostriderError(error) || !ALREADY_THERE.has((error.cause as { readonly errno?: number } | undefined)?.errno ?? 0)) throw error;
    }
  }
}

/** How the shop's handlers are retried: soon at first, for about half a minute. */
export const SOON: Partial<RetryPolicy> = { immediate: 2, delayed: 10, backoff: { firstMs: 200, maxMs: 5_000 } };

/** Another unit of work changed the same row first; the handler runs again and sees it. */
export class Conflict extends Error {
  override readonly name = "Conflict";
  readonly code = "shop.conflict";
  constructor(thing: string) {
    super(`${thing} was changed by another unit of work at the same time`);
  }
}
