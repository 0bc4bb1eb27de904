import type { createPool } from "mysql2/promise";
import { fail } from "../../base/errors.ts";

/** A connection taken out of a pool, as `mysql2/promise` gives it. */
export interface MysqlConnection {
  query(sql: string): Promise<readonly [unknown, unknown]>;
  execute(sql: string, values: MysqlValue[]): Promise<readonly [unknown, unknown]>;
  /** Back to the pool. */
  release(): void;
  /** Closes it instead. */
  destroy(): void;
  on(event: "error", listener: (error: Error) => void): unknown;
  removeListener(event: "error", listener: (error: Error) => void): unknown;
}

/** What a statement can be given. */
export type MysqlValue = string | number | Buffer | null;

/** A pool of `mysql2/promise`, or whatever looks like one. */
export interface MysqlPool {
  getConnection(): Promise<MysqlConnection>;
  execute(sql: string, values: MysqlValue[]): Promise<readonly [unknown, unknown]>;
  end(): Promise<void>;
}

/** How to reach a database: an address, from which a pool of our own is made, or a pool that stays the caller's. */
export interface MysqlSource {
  readonly url?: string;
  readonly pool?: MysqlPool;
}

/** How a pool of our own behaves. */
export interface MysqlPoolOptions {
  /** The most connections. Default 10, at least 2. */
  readonly maxConnections?: number;
  /** How long a new connection may take, in milliseconds. Default 10 000. */
  readonly connectTimeoutMs?: number;
}

const DEFAULT_MAX_CONNECTIONS = 10;
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

/** The connections of one database. Errors come out as the vendor's; nothing is opened before the first statement. */
export class MysqlConnections {
  readonly #source: MysqlSource;
  readonly #options: MysqlPoolOptions;
  #opening: Promise<MysqlPool> | undefined;

  constructor(source: MysqlSource, options: MysqlPoolOptions) {
    this.#source = source;
    this.#options = options;
  }

  /** The most connections at once; of a caller's pool, what is usual. */
  get max(): number {
    return Math.max(2, this.#options.maxConnections ?? DEFAULT_MAX_CONNECTIONS);
  }

  /** Runs one statement in a transaction of its own, on any connection. */
  async execute(sql: string, values: MysqlValue[]): Promise<readonly [unknown, unknown]> {
    return (await this.#pool()).execute(sql, values);
  }

  /** A connection to keep until it is released or destroyed. */
  async borrow(): Promise<MysqlConnection> {
    return (await this.#pool()).getConnection();
  }

  /** Closes a pool of our own. It opens again with the next statement. May be called twice. */
  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    const pool = await opening?.catch(() => undefined);
    if (this.#source.pool === undefined) await pool?.end();
  }

  #pool(): Promise<MysqlPool> {
    if (this.#opening === undefined) {
      const { pool, url = "" } = this.#source;
      const opening = pool === undefined ? importPool(url, this.max, this.#options) : Promise.resolve(pool);
      this.#opening = opening;
      opening.catch(() => (this.#opening = undefined));
    }
    return this.#opening;
  }
}

async function importPool(url: string, connectionLimit: number, options: MysqlPoolOptions): Promise<MysqlPool> {
  const create = await importMysql();
  return create({
    uri: url,
    connectionLimit,
    connectTimeout: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
    enableKeepAlive: true,
    charset: "utf8mb4",
    supportBigNumbers: true, // what no number holds comes as a text instead of as another number
  });
}

async function importMysql(): Promise<typeof createPool> {
  try {
    return (await import("mysql2/promise")).createPool;
  } catch (cause) {
    throw fail("PR_CONFIG_INVALID", { mistakes: "postrider/mysql needs the package mysql2: npm install mysql2" }, { cause });
  }
}
