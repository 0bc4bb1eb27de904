import { fail } from "../../base/errors.ts";
import type { PgClient, PgQuery, PgResult } from "./connection.ts";
import type { PgLease } from "./lease.ts";

/**
 * A transaction of the caller's own, whoever began it: a client of `pg`, an `EntityManager` or `QueryRunner` of TypeORM, or
 * `{ query: (text, values) => … }` around what Kysely, Prisma or Drizzle call it.
 */
export interface PgTransactionHandle {
  /** Runs one statement with `$1`, `$2` … in the transaction. What it gives need not be more than a promise; rows are looked for in `rows`, or in a list. */
  query(text: string, values: unknown[]): Promise<unknown>;
}

/** A caller's transaction as a connection of ours: one statement after another, and never released. @throws PR_CONFIG_INVALID for what has no `query` */
export function foreignLease(handle: unknown): PgLease {
  if (!isHandle(handle)) throw fail("PR_CONFIG_INVALID", { mistakes: "the transaction given as `within` has no query(text, values)" });
  const query = async ({ text, values = [] }: PgQuery): Promise<PgResult> => resultOf(await handle.query(text, [...values]));
  const client: Pick<PgClient, "query"> = { query };
  return { client: client as PgClient, isBroken: false, query, release: () => undefined };
}

function isHandle(handle: unknown): handle is PgTransactionHandle {
  return typeof handle === "object" && handle !== null && typeof (handle as { query?: unknown }).query === "function";
}

function resultOf(given: unknown): PgResult {
  const { rows = given, rowCount } = (typeof given === "object" && given !== null ? given : {}) as {
    readonly rows?: unknown;
    readonly rowCount?: unknown;
  };
  const list = Array.isArray(rows) ? (rows as PgResult["rows"]) : [];
  return { rows: list, rowCount: typeof rowCount === "number" ? rowCount : list.length, command: "" };
}
