import { describe, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { transportConformance } from "../../testing/transport-conformance.ts";
import type { TransportFixture } from "../../testing/transport-environment.ts";
import { postgresTransport } from "./declared.test-support.ts";
import { missingServer, TestSchema } from "./postgres.test-support.ts";
import type { PostgresTransport } from "./transport.ts";

const BODY_LIMIT = 2 * 1024 * 1024;

async function create(): Promise<TransportFixture> {
  const schema = new TestSchema();
  let transports: PostgresTransport[] = [];
  return {
    connect: () => {
      const database = schema.connect({ leaseMs: 400, maxBodyBytes: BODY_LIMIT });
      const transport = database.transport();
      transports.push(transport);
      return { transport, store: (service) => database.store(service) };
    },
    // The server's time is the machine's.
    pass: (ms) => systemClock.sleep(ms),
    crash: async () => {
      for (const transport of transports) transport.abandon();
      transports = [];
      await schema.crash();
    },
    close: () => schema.close(),
  };
}

const missing = missingServer();

// Without a server there is nothing to check: the name says why there is none.
describe.skipIf(missing !== undefined)(`postgres${missing === undefined ? "" : ` (skipped: ${missing})`}`, () => {
  transportConformance({ ...postgresTransport, create, suite: { describe, test } });
});
