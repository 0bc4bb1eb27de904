import { Pool } from "pg";
import { describe, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { storeConformance } from "../../testing/store-conformance.ts";
import type { StoreFixture } from "../../testing/store-environment.ts";
import { postgresStore } from "./declared.test-support.ts";
import { missingServer, serverUrl, TestSchema } from "./postgres.test-support.ts";

async function create(): Promise<StoreFixture> {
  const schema = new TestSchema();
  return fixture(schema, () => schema.connect());
}

/** With a plain pool of the user's: no statement leaves before the one before it is answered, and settings are the server's. */
async function createOnPool(): Promise<StoreFixture> {
  const schema = new TestSchema();
  const pools: Pool[] = [];
  const { close, ...rest } = fixture(schema, () => {
    const pool = new Pool({ connectionString: serverUrl(), max: 6, application_name: schema.name });
    pools.push(pool);
    return schema.connect({ pool });
  });
  return {
    ...rest,
    async close() {
      await close();
      for (const pool of pools) await pool.end();
    },
  };
}

function fixture(schema: TestSchema, connect: () => ReturnType<TestSchema["connect"]>): StoreFixture {
  return {
    connect: () => {
      const database = connect();
      return { store: (service) => database.store(service) };
    },
    pass: (ms) => systemClock.sleep(ms),
    crash: () => schema.crash(),
    close: () => schema.close(),
    bytesType: "bytea",
  };
}

const missing = missingServer();

// Without a server there is nothing to check: the name says why there is none.
describe.skipIf(missing !== undefined)(`on a real server${missing === undefined ? "" : ` (skipped: ${missing})`}`, () => {
  storeConformance({ ...postgresStore, create, suite: { describe, test } });
  storeConformance({ ...postgresStore, name: "postgres on a pool of the user's", create: createOnPool, suite: { describe, test } });
});
