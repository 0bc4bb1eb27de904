import type { RetryPolicy, Service, Sql } from "postrider";

/** A service of the shop and the tables that are its own. */
export interface Part {
  readonly service: Service;
  /** Statements that may run at each start, in this order. */
  readonly tables: readonly string[];
}

/** Brings a part's tables about. May run in several processes at once. */
export async function migrate(part: Part, sql: Sql): Promise<void> {
  for (const statement of part.tables) await sql.run(statement);
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
