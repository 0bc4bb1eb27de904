import { createConnection, createPool } from "mysql2/promise";
import type { Pool } from "mysql2/promise";
import { inject } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { uuidv7Ids } from "../../base/ids.ts";
import { MysqlDatabase } from "./mysql-database.ts";

interface Address {
  readonly url?: string | undefined;
  readonly missing?: string | undefined;
}

// The bench (see tests/brokers) declares its type where this package does not look.
const benchMariadb = (): Address => (inject as (name: string) => { readonly mariadb: Address })("brokers").mariadb;

/** Why there is no server, if there is none. */
export function missingServer(): string | undefined {
  return benchMariadb().missing;
}

/** A database of a test's own. */
export class TestDatabase {
  readonly url: string;
  readonly #name: string;
  readonly #admin: Pool;
  readonly #held = new Set<() => Promise<void>>();
  readonly #databases = new Set<MysqlDatabase>();

  private constructor(serverUrl: string) {
    this.#name = `t_${uuidv7Ids(systemClock).next().replaceAll("-", "")}`;
    this.#admin = createPool({ uri: serverUrl, connectionLimit: 2 });
    const url = new URL(serverUrl);
    url.pathname = `/${this.#name}`;
    this.url = url.href;
  }

  static async create(): Promise<TestDatabase> {
    const { url, missing } = benchMariadb();
    if (url === undefined) throw new Error(missing);
    const database = new TestDatabase(url);
    await database.#admin.query(`create database ${database.#name} character set utf8mb4`);
    return database;
  }

  /** Another process' view of it, as far as that goes. */
  connect(): MysqlDatabase {
    const database = new MysqlDatabase({ url: this.url });
    this.#databases.add(database);
    return database;
  }

  /** Runs a statement beside all that is tested. */
  async admin(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const [rows] = await this.#admin.query(sql);
    return Array.isArray(rows) ? (rows as Record<string, unknown>[]) : [];
  }

  /** Runs a statement in a transaction that stays open, and gives what ends it. */
  async hold(sql: string): Promise<() => Promise<void>> {
    const connection = await createConnection(this.url);
    await connection.beginTransaction();
    await connection.query(sql);
    const release = async (): Promise<void> => {
      if (this.#held.delete(release)) await connection.end();
    };
    this.#held.add(release);
    return release;
  }

  /** How many transactions wait for a lock. */
  async waitingCount(): Promise<number> {
    // The server makes this table anew only when nobody has read it for a tenth of a second: who asks more often sees what was, for ever.
    await this.admin("select sleep(0.15)");
    const sql = `select 1 from information_schema.innodb_trx t join information_schema.processlist p on p.id = t.trx_mysql_thread_id
      where t.trx_state = 'LOCK WAIT' and p.db = '${this.#name}'`;
    return (await this.admin(sql)).length;
  }

  /** Ends all connections of the instances, as the death of their processes would. */
  async crash(): Promise<void> {
    const rows = await this.admin(`select id from information_schema.processlist where db = '${this.#name}'`);
    for (const { id } of rows) await this.admin(`kill ${Number(id)}`).catch(() => undefined); // it may have ended by itself
    for (const { connections } of this.#databases) void connections.close();
    this.#databases.clear();
  }

  async close(): Promise<void> {
    for (const release of this.#held) await release(); // of a test that failed before it did so: others may wait for it
    for (const { connections } of this.#databases) await connections.close();
    await this.#admin.query(`drop database ${this.#name}`);
    await this.#admin.end();
  }
}

/** Runs a test in a database of its own. */
export async function withDatabase(run: (database: TestDatabase) => Promise<void>): Promise<void> {
  const database = await TestDatabase.create();
  try {
    await run(database);
  } finally {
    await database.close();
  }
}
