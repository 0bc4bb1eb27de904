import type pg from "pg";
import { expectTypeOf, test } from "vitest";
import type { PgClient, PgPool } from "./connection.ts";

test("a pool of pg, and what it lends, are what we take", () => {
  expectTypeOf<pg.Pool>().toExtend<PgPool>();
  expectTypeOf<pg.PoolClient>().toExtend<PgClient>();
});
