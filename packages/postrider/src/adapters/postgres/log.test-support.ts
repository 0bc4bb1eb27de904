import { systemClock } from "../../base/clock.ts";
import { TransportEnvironment } from "../../testing/transport-environment.ts";
import type { PgDatabase, PgDatabaseOptions } from "./postgres-database.ts";
import { withSchema } from "./postgres.test-support.ts";
import type { TestSchema } from "./postgres.test-support.ts";

/** What a test of the log has. */
export interface LogTest {
  readonly env: TransportEnvironment;
  readonly schema: TestSchema;
  readonly database: PgDatabase;
}

/** A schema, and an environment on it. */
export async function within(run: (place: LogTest) => Promise<void>, change: Partial<PgDatabaseOptions> = {}): Promise<void> {
  await withSchema(async (schema) => {
    const database = schema.connect();
    const env = new TransportEnvironment({
      connect: () => {
        const own = schema.connect({ leaseMs: 400, ...change });
        return { transport: own.transport(), store: (service) => own.store(service) };
      },
      pass: (ms) => systemClock.sleep(ms),
      close: () => Promise.resolve(),
    });
    await run({ env, schema, database });
    await env.close();
  });
}
