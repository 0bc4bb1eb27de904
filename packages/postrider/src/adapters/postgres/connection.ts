import type { ClientConfig, Pool } from "pg";
import { fail } from "../../base/errors.ts";
import { isConnectionLost } from "./vendor-error.ts";

/** One statement, as `pg` takes it. */
export interface PgQuery {
  readonly text: string;
  values?: unknown[];
  /** Prepared once per connection under this name. */
  name?: string;
  /** `extended` also without values: then the text is one statement. */
  queryMode?: string;
  /** Rows come as lists of columns. */
  rowMode?: "array";
  /** How columns are read, by type id. */
  types?: { getTypeParser(typeId: number, format?: string): (text: string) => unknown };
}

/** What a statement gave. */
export interface PgResult {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly rowCount: number | null;
  readonly fields?: readonly { readonly name: string; readonly dataTypeID: number }[];
  /** The command's tag: `COMMIT` says `ROLLBACK` when the transaction had failed before. */
  readonly command: string;
}

/** Whoever runs statements: a client of `pg`, or a pool. */
export interface PgQueryable {
  query(query: PgQuery): Promise<PgResult>;
}

/** What came on a channel that is listened to. */
export interface PgNotification {
  readonly channel: string;
  readonly payload?: string | undefined;
}

/** A connection taken out of a pool. */
export interface PgClient extends PgQueryable {
  /** Whether statements are sent without waiting for the answers of those before (`pipeline: true` of pg 8.23 and later). */
  readonly pipeline?: boolean;
  /** The socket below, where the client shows it: what is written to it in one turn can leave together. */
  readonly connection?: { readonly stream?: { cork?(): void; uncork?(): void } };
  /** Back to the pool; with `true` it is closed instead. */
  release(isBroken?: boolean): void;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "notification", listener: (notification: PgNotification) => void): unknown;
  on(event: "end", listener: () => void): unknown;
  removeListener(event: "error", listener: (error: Error) => void): unknown;
  removeListener(event: "end", listener: () => void): unknown;
}

/** A pool of `pg`, or whatever looks like one. */
export interface PgPool extends PgQueryable {
  connect(): Promise<PgClient>;
  end(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "connect", listener: (client: PgClient) => void): unknown;
  readonly options?: { readonly max?: number };
}

/** How to reach a database: an address, from which a pool of our own is made, or a pool that stays the caller's. */
export interface PgSource {
  readonly url?: string;
  readonly pool?: PgPool;
}

/** How a pool of our own behaves. */
export interface PgPoolOptions {
  /** The most connections. Default 10, at least 2. */
  readonly maxConnections?: number;
  /** After this the server ends a statement, in milliseconds. Default 30 000. */
  readonly statementTimeoutMs?: number;
  /** After this the server ends a connection that leaves its transaction open without a statement, in milliseconds. Default 60 000. */
  readonly idleInTransactionTimeoutMs?: number;
  /** How long a new connection may take, in milliseconds. Default 10 000. */
  readonly connectTimeoutMs?: number;
  /** What `pg_stat_activity` shows. Default `postrider`. */
  readonly applicationName?: string;
}

const DEFAULT_MAX_CONNECTIONS = 10;
const DEFAULT_STATEMENT_TIMEOUT_MS = 30_000;
const DEFAULT_IDLE_IN_TRANSACTION_MS = 60_000;
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const IDLE_MS = 30_000;
const KEEP_ALIVE_DELAY_MS = 10_000;
// Beyond the server's own limit the answer is not coming: the connection is dead, and no FIN has said so.
const READ_TIMEOUT_MARGIN_MS = 5000;

/**
 * The connections of one database: all that the store and the transport run, runs through here.
 *
 * Errors come out as the vendor's; whoever calls wraps them. Nothing is opened before the first statement.
 */
export class PgConnections {
  readonly #source: PgSource;
  readonly #options: PgPoolOptions;
  readonly #onIdleError: (error: Error) => void;
  #pool: PgPool | undefined;
  #opening: Promise<PgPool> | undefined;

  /** `onIdleError` hears of connections that broke while nobody used them: the pool replaces them by itself. */
  constructor(source: PgSource, options: PgPoolOptions, onIdleError: (error: Error) => void) {
    this.#source = source;
    this.#options = options;
    this.#onIdleError = onIdleError;
  }

  /** Whether the pool is ours, with our settings. */
  get isOwn(): boolean {
    return this.#source.pool === undefined;
  }

  /** The most connections at once. */
  get max(): number {
    return this.#source.pool === undefined
      ? Math.max(2, this.#options.maxConnections ?? DEFAULT_MAX_CONNECTIONS)
      : (this.#source.pool.options?.max ?? DEFAULT_MAX_CONNECTIONS);
  }

  /** Runs one statement in a transaction of its own, on any connection. */
  async query(query: PgQuery): Promise<PgResult> {
    const pool = this.#pool ?? (await this.#open());
    return pool.query(query);
  }

  /**
   * Lends a connection for as long as `work` runs. One that broke meanwhile is closed, never returned to the pool.
   *
   * `work` ends the transactions that it begins, on failure too; one whose rollback failed says so by `lease.isBroken`.
   */
  async lend<Result>(work: (client: PgClient, lease: { isBroken: boolean }) => Promise<Result>): Promise<Result> {
    const client = await this.borrow();
    const lease = { isBroken: false };
    // A lent client has no listener of the pool's: without this one an error between two statements would end the process.
    const onError = (): void => void (lease.isBroken = true);
    client.on("error", onError);
    try {
      return await work(client, lease);
    } catch (error) {
      if (isConnectionLost(error)) lease.isBroken = true;
      throw error;
    } finally {
      client.removeListener("error", onError);
      client.release(lease.isBroken);
    }
  }

  /** How to open a connection of another kind beside these. @throws PR_CONFIG_INVALID when a pool of the caller's does not tell */
  async configuration(url: string | undefined = this.#source.url): Promise<ClientConfig> {
    const { applicationName = "postrider", connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } = this.#options;
    const own = { application_name: `${applicationName} outbox`, connectionTimeoutMillis: connectTimeoutMs, keepAlive: true };
    if (url !== undefined) return { connectionString: url, ...own };
    const pool = this.#pool ?? (await this.#open());
    if (pool.options === undefined)
      throw fail("PR_CONFIG_INVALID", {
        mistakes: 'postgres({ outbox: { by: "replication" } }) needs a url beside a pool without options',
      });
    return { ...(pool.options as ClientConfig), ...own };
  }

  /** A connection to keep. The caller listens to its errors and releases it. */
  async borrow(): Promise<PgClient> {
    const pool = this.#pool ?? (await this.#open());
    return pool.connect();
  }

  /** Closes a pool of our own. It opens again with the next statement. May be called twice. */
  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    this.#pool = undefined;
    const pool = await opening?.catch(() => undefined);
    if (this.isOwn) await pool?.end();
  }

  #open(): Promise<PgPool> {
    if (this.#opening === undefined) {
      const opening = this.#makePool();
      this.#opening = opening;
      opening.then(
        (pool) => {
          if (this.#opening === opening) this.#pool = pool;
        },
        () => {
          if (this.#opening === opening) this.#opening = undefined;
        },
      );
    }
    return this.#opening;
  }

  async #makePool(): Promise<PgPool> {
    const pool = this.#source.pool ?? (await importPool(this.#source.url ?? "", this.#options));
    if (listened.has(pool)) return pool;
    listened.add(pool);
    // A pool without this listener ends the process when the server restarts.
    pool.on("error", this.#onIdleError);
    // So does a connection that is lent just now: until its borrower hears of it, nobody listens, and a server that ends may say so in the same packet.
    pool.on("connect", (client) => void client.on("error", () => undefined));
    return pool;
  }
}

/** Pools that have our listener: one each, however many services share it. */
const listened = new WeakSet<PgPool>();

async function importPool(url: string, options: PgPoolOptions): Promise<PgPool> {
  const PoolOfPg = await importPg();
  const statementTimeoutMs = options.statementTimeoutMs ?? DEFAULT_STATEMENT_TIMEOUT_MS;
  return new PoolOfPg({
    connectionString: url,
    max: Math.max(2, options.maxConnections ?? DEFAULT_MAX_CONNECTIONS),
    application_name: options.applicationName ?? "postrider",
    connectionTimeoutMillis: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: IDLE_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + READ_TIMEOUT_MARGIN_MS,
    idle_in_transaction_session_timeout: options.idleInTransactionTimeoutMs ?? DEFAULT_IDLE_IN_TRANSACTION_MS,
    ...PIPELINE,
  });
}

// Known to pg from 8.23 on; older ones ignore it, and their clients say nothing of it.
const PIPELINE: object = { pipeline: true };

async function importPg(): Promise<typeof Pool> {
  try {
    return (await import("pg")).default.Pool;
  } catch (cause) {
    throw fail("PR_CONFIG_INVALID", { mistakes: "postrider/postgres needs the package pg: npm install pg" }, { cause });
  }
}
