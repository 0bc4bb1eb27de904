import type { ClientConfig } from "pg";
import type { Clock } from "../../base/clock.ts";
import { uuidv7Ids } from "../../base/ids.ts";
import type { Ids } from "../../base/ids.ts";
import type { Random } from "../../base/random.ts";
import type { Logger } from "../../ports/logger.ts";
import type { Store } from "../../ports/store.ts";
import { PgConnections } from "./connection.ts";
import type { PgPoolOptions, PgSource } from "./connection.ts";
import { debeziumSlot } from "./debezium.ts";
import { PgListener } from "./listener.ts";
import { assertMigrated, migrate } from "./migrations.ts";
import type { MigrationPart } from "./migrations.ts";
import { quoted } from "./names.ts";
import type { GroupCommit } from "./participant.ts";
import type { PostgresLogRetention } from "./log-trim.ts";
import { unitGroups } from "./log-unit.ts";
import { Places } from "./places.ts";
import { PgStore } from "./store.ts";
import type { StoreHost } from "./store-host.ts";
import { STORE_PART } from "./store-schema.ts";
import { PostgresTransport } from "./transport.ts";

/** What a database is opened with. */
export interface PgDatabaseOptions extends PgSource, PgPoolOptions {
  /** Where Postrider's tables are. */
  readonly schema: string;
  /** Whether statements are prepared, once per connection. Not behind a pooler that gives each transaction another connection and does not know of them. */
  readonly isPrepared: boolean;
  /** Whether tables are made and brought up to date at the opening. */
  readonly migrates: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Default: UUIDv7. */
  readonly ids?: Ids;
  /** How long a process that has died keeps its lanes, in milliseconds; by the server's clock. Default 4000. */
  readonly leaseMs?: number;
  /** The largest body in bytes. Default 16 MiB. */
  readonly maxBodyBytes?: number;
  /** How long read messages are kept for replay. */
  readonly retention?: PostgresLogRetention;
  /** How outboxes are read. Default: polled. */
  readonly outbox?: PgOutboxWay;
}

/** How rows of an outbox are found: by looking, or by reading the write-ahead log; or that somebody else carries them. */
export type PgOutboxWay = { readonly by: "polling" } | { readonly by: "replication"; readonly url?: string } | { readonly by: "debezium" };

/** One schema of a PostgreSQL database: its stores share connections, and open and close it together. */
export class PgDatabase implements StoreHost {
  readonly connections: PgConnections;
  readonly listener: PgListener;
  readonly places: Places;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly ids: Ids;
  readonly replication: (() => Promise<ClientConfig>) | undefined;
  readonly carriedBy: string | undefined;
  readonly migrates: boolean;
  readonly schema: string;
  readonly quotedSchema: string;
  readonly isPrepared: boolean;
  readonly begin: string;
  readonly beginRead: string;
  /** Set by the transport of this database while it is open. */
  groupCommit: GroupCommit | undefined;
  readonly #options: PgDatabaseOptions;
  readonly #users = new Set<object>();
  readonly #stores = new WeakSet<object>();
  readonly #migrated = new Map<string, Promise<void>>();

  constructor(options: PgDatabaseOptions) {
    const { schema, logger } = options;
    this.#options = options;
    this.clock = options.clock;
    this.random = options.random;
    this.logger = logger;
    this.ids = options.ids ?? uuidv7Ids(options.clock);
    this.schema = schema;
    this.quotedSchema = quoted(schema);
    this.isPrepared = options.isPrepared;
    this.migrates = options.migrates;
    this.connections = new PgConnections(options, options, (error) =>
      logger.warn({ err: error, schema }, "An idle connection to PostgreSQL broke; the next statement gets another one."),
    );
    const { outbox } = options;
    this.replication = outbox?.by === "replication" ? () => this.connections.configuration(outbox.url) : undefined;
    this.carriedBy = outbox?.by === "debezium" ? debeziumSlot(schema) : undefined;
    this.listener = new PgListener({ connections: this.connections, clock: options.clock, random: options.random });
    this.places = new Places(Math.max(1, this.connections.max - RESERVED_CONNECTIONS));
    const path = `set local search_path to ${schema === "public" ? "public" : `${this.quotedSchema}, public`}`;
    this.begin = `begin isolation level read committed; ${path}`;
    this.beginRead = `begin isolation level read committed read only; ${path}`;
  }

  /** The logs of this schema. One is enough for a process. */
  transport(): PostgresTransport {
    const { schema, connections, listener, clock, ids } = this;
    const { leaseMs = DEFAULT_LEASE_MS, maxBodyBytes = DEFAULT_MAX_BODY_BYTES, retention = {} } = this.#options;
    this.groupCommit = unitGroups;
    return new PostgresTransport({
      schema,
      connections,
      listener,
      clock,
      ids,
      leaseMs,
      maxBodyBytes,
      retention,
      hasStore: (store) => this.hasStore(store),
      enter: (user, part) => this.enter(user, part),
      leave: (user) => this.leave(user),
    });
  }

  /** A service's store. */
  store(service: string): Store {
    const store = new PgStore(this, service);
    this.#stores.add(store);
    return store;
  }

  /** Whether a store is one of this database's, so that its transactions can hold what others write here. */
  hasStore(store: unknown): boolean {
    return typeof store === "object" && store !== null && this.#stores.has(store);
  }

  /** Opens it for a user of it, and brings a part's tables up to date. */
  async enter(user: object, part: MigrationPart = STORE_PART): Promise<void> {
    this.#users.add(user);
    try {
      await this.#upToDate(part);
    } catch (error) {
      await this.leave(user);
      throw error;
    }
  }

  /** Closes the connections when the last user leaves; a pool of the caller's stays open. */
  async leave(user: object): Promise<void> {
    if (!this.#users.delete(user) || this.#users.size > 0) return;
    this.listener.stop();
    await this.connections.close();
  }

  #upToDate(part: MigrationPart): Promise<void> {
    let done = this.#migrated.get(part.name);
    if (done === undefined) {
      done = this.connections.lend((client) =>
        this.migrates ? migrate(client, this.schema, part) : assertMigrated(client, this.schema, part),
      );
      this.#migrated.set(part.name, done);
      done.catch(() => this.#migrated.delete(part.name)); // the next one to open tries again
    }
    return done;
  }
}

const DEFAULT_LEASE_MS = 4000;
const DEFAULT_MAX_BODY_BYTES = 16 * 1024 * 1024; // one body is built, sent and read as a whole

// Of the pool: one for what is done outside transactions, and one to listen.
const RESERVED_CONNECTIONS = 2;

/** Names a PostgreSQL schema and how to use it; nothing is opened before a part of it is. */
export function openPostgres(options: PgDatabaseOptions): PgDatabase {
  return new PgDatabase(options);
}
