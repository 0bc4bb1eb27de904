import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { uuidv7Ids } from "../../base/ids.ts";
import { systemRandom } from "../../base/random.ts";
import { silentLogger } from "../../telemetry/json-logger.ts";
import { storeConformance } from "../../testing/store-conformance.ts";
import { transportConformance } from "../../testing/transport-conformance.ts";
import type { TransportFixture } from "../../testing/transport-environment.ts";
import type { StoreFixture } from "../../testing/store-environment.ts";
import { sqliteStore, sqliteTransport } from "./declared.test-support.ts";
import { openSqliteFile } from "./sqlite-file.ts";
import type { SqliteFile } from "./sqlite-file.ts";

const BODY_LIMIT = 2 * 1024 * 1024;

async function create(): Promise<TransportFixture & StoreFixture> {
  const folder = await mkdtemp(join(tmpdir(), "postrider-sqlite-"));
  let files: SqliteFile[] = [];
  const connect = (): SqliteFile => {
    const file = openSqliteFile({
      file: join(folder, "app.db"),
      clock: systemClock,
      random: systemRandom,
      ids: uuidv7Ids(systemClock),
      logger: silentLogger,
      unsafeNoSync: false,
      leaseMs: 400,
      walLimitBytes: 16 * 1024 * 1024,
      retention: {},
      maxBodyBytes: BODY_LIMIT,
    });
    files.push(file);
    return file;
  };
  return {
    connect: () => {
      const file = connect();
      return { transport: file.transport(), store: (service) => file.store(service) };
    },
    // The file's time is the machine's.
    pass: (ms) => systemClock.sleep(ms),
    crash: async () => {
      for (const file of files) file.abandon();
      files = [];
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

transportConformance({ ...sqliteTransport, create, suite: { describe, test } });

storeConformance({ ...sqliteStore, create, suite: { describe, test } });
