import { inject } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { uuidv7Ids } from "../../base/ids.ts";
import { systemRandom } from "../../base/random.ts";
import { silentLogger } from "../../telemetry/json-logger.ts";
import { quoted } from "./names.ts";
import { openPostgres } from "./postgres-database.ts";
import type { PgDatabase, PgDatabaseOptions } from "./postgres-database.ts";

interface Address {
  readonly url?: string | undefined;
  readonly missing?: string | undefined;
}

// The bench (see tests/brokers) declares its type where this package does not look.
const benchPostgres = (): Address => (inject as (name: string) => { readonly postgres: Address })("brokers").postgres;

/** The server of the broker tests. @throws why there is none */
export function serverUrl(): string {
  const { url, missing } = benchPostgres();
  if (url === undefined) throw new Error(missing);
  return url;
}

/** Why there is no server, if there is none. */
export function missingServer(): string | undefined {
  return benchPostgres().missing;
}

/** A schema of a test's own, and databases that use it. */
export class TestSchema {
  readonly name: string;
  readonly #applicationName: string;
  readonly #held = new Set<() => Promise<void>>();
  readonly #databases = new Set<PgDatabase>();
  readonly #admin: PgDatabase;

  constructor(name?: string) {
    this.#applicationName = `t_${uuidv7Ids(systemClock).next().replaceAll("-", "")}`;
    this.name = name ?? this.#applicationName;
    this.#admin = openPostgres({ ...this.#options(), applicationName: "admin", schema: "public" });
  }

  /** Another process' view of it, as far as that goes. */
  connect(change: Partial<PgDatabaseOptions> = {}): PgDatabase {
    const database = openPostgres({ ...this.#options(), ...change });
    this.#databases.add(database);
    return database;
  }

  /** Runs a statement beside all that is tested. */
  async admin(text: string, ...values: unknown[]): Promise<readonly Readonly<Record<string, unknown>>[]> {
    return (await this.#admin.connections.query({ text, values })).rows;
  }

  /** Runs statements without values, one after another. */
  async script(text: string): Promise<void> {
    await this.#admin.connections.query({ text });
  }

  /** Runs a statement on a connection that stays open, and gives what ends it. */
  async hold(text: string): Promise<() => Promise<void>> {
    const client = await this.#admin.connections.borrow();
    const release = async (): Promise<void> => {
      if (this.#held.delete(release)) client.release(true);
    };
    this.#held.add(release);
    await client.query({ text });
    return release;
  }

  /** How many connections of the instances wait for an advisory lock. */
  async waitingCount(): Promise<number> {
    const text = "select 1 from pg_stat_activity where application_name = $1 and wait_event_type = 'Lock' and wait_event = 'advisory'";
    return (await this.admin(text, this.#applicationName)).length;
  }

  async isWaiting(): Promise<boolean> {
    return (await this.waitingCount()) > 0;
  }

  /** The server's processes of the connections that listen. */
  async listeners(): Promise<readonly unknown[]> {
    const text = "select pid from pg_stat_activity where application_name = $1 and query like 'listen %'";
    return (await this.admin(text, this.#applicationName)).map(({ pid }) => pid);
  }

  /** Ends all connections of the instances, as the death of their processes would; whatever they still do afterwards fails. */
  async crash(): Promise<void> {
    const databases = [...this.#databases];
    this.#databases.clear();
    await this.admin("select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1", this.#applicationName);
    for (const database of databases) {
      database.listener.stop();
      void database.connections.close();
    }
    for (;;) {
      const left = await this.admin("select 1 from pg_stat_activity where application_name = $1", this.#applicationName);
      if (left.length === 0) return;
      await this.admin("select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1", this.#applicationName);
    }
  }

  async close(): Promise<void> {
    for (const release of this.#held) await release(); // of a test that failed before it did so: others may wait for it
    for (const database of this.#databases) {
      database.listener.stop();
      await database.connections.close();
    }
    await this.admin(`drop schema if exists ${quoted(this.name)} cascade`);
    await this.#admin.connections.close();
  }

  #options(): PgDatabaseOptions {
    return {
      url: serverUrl(),
      schema: this.name,
      applicationName: this.#applicationName,
      isPrepared: true,
      migrates: true,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
    };
  }
}

/** Runs a test in a schema of its own. */
export async function withSchema(run: (schema: TestSchema) => Promise<void>): Promise<void> {
  const schema = new TestSchema();
  try {
    await run(schema);
  } finally {
    await schema.close();
  }
}
