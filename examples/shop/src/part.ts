import type { RetryPolicy, Service, Sql } from "postrider";

/** Which SQL the stores speak: almost everything of the shop runs on both. */
export type Dialect = "sqlite" | "postgres";

/** A service of the shop and the tables that are its own. */
export interface Part {
  readonly service: Service;
  /** Statements that may run at each start, in this order; by dialect where they differ. */
  readonly tables: readonly string[] | Readonly<Record<Dialect, readonly string[]>>;
}

const LOCK = "select pg_advisory_xact_lock(hashtext('shop tables')) as locked"; // "if not exists" alone fails when two ask at the same time

/** Brings a part's tables about, in a transaction. May run in several processes at once. */
export async function migrate({ tables }: Part, sql: Sql, dialect: Dialect): Promise<void> {
  if (dialect === "postgres") await sql.get(LOCK);
  for (const statement of "sqlite" in tables ? tables[dialect] : tables) await sql.run(statement);
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
