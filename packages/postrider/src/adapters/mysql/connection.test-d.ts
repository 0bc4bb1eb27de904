import type { Pool } from "mysql2/promise";
import { expectTypeOf, test } from "vitest";
import type { MysqlPool } from "./connection.ts";

test("a pool of mysql2 is what we take", () => {
  expectTypeOf<Pool>().toExtend<MysqlPool>();
});
