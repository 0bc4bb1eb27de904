import { describe, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { storeConformance } from "../../testing/store-conformance.ts";
import type { StoreFixture } from "../../testing/store-environment.ts";
import { mysqlStore } from "./declared.test-support.ts";
import { missingServer, TestDatabase } from "./mysql.test-support.ts";

async function create(): Promise<StoreFixture> {
  const database = await TestDatabase.create();
  return {
    connect: () => {
      const connected = database.connect();
      return { store: (service) => connected.store(service) };
    },
    pass: (ms) => systemClock.sleep(ms),
    crash: () => database.crash(),
    close: () => database.close(),
  };
}

const missing = missingServer();

// Without a server there is nothing to check: the name says why there is none.
describe.skipIf(missing !== undefined)(`on a real MariaDB${missing === undefined ? "" : ` (skipped: ${missing})`}`, () => {
  storeConformance({ ...mysqlStore, create, suite: { describe, test } });
});
