import { migrationSql } from "../adapters/postgres/migrations.ts";
import { LOG_PART } from "../adapters/postgres/log-schema.ts";
import type { PostgresLogRetention } from "../adapters/postgres/log-trim.ts";
import type { PgPool, PgPoolOptions } from "../adapters/postgres/connection.ts";
import { openPostgres } from "../adapters/postgres/postgres-database.ts";
import type { PgDatabase, PgOutboxWay } from "../adapters/postgres/postgres-database.ts";
import { publicationSql } from "../adapters/postgres/replication-slot.ts";
import { STORE_PART } from "../adapters/postgres/store-schema.ts";
import { systemClock } from "../base/clock.ts";
import type { Clock } from "../base/clock.ts";
import { fail } from "../base/errors.ts";
import { uuidv7Ids } from "../base/ids.ts";
import type { Ids } from "../base/ids.ts";
import { systemRandom } from "../base/random.ts";
import type { Random } from "../base/random.ts";
import type { Infrastructure } from "../bus/api.ts";
import type { Logger } from "../ports/logger.ts";
import type { Store } from "../ports/store.ts";
import { jsonLogger } from "../telemetry/json-logger.ts";

/** How to reach PostgreSQL: exactly one of `url` and `pool`. */
export interface PostgresConnection extends PgPoolOptions {
  /** `postgres://user:password@host/database`. A pool of our own is made from it, with the settings beside it. */
  readonly url?: string;
  /** A pool of `pg`, which stays yours: its settings are, and so is closing it. */
  readonly pool?: PgPool;
  /** Whether statements are prepared, once per connection. Default true; false behind a pooler that gives each transaction another connection and does not know of them. */
  readonly prepare?: boolean;
  /** Whether tables are made and brought up to date at the opening. Default true; false where the user of the database may not: see {@link postgresMigrations}. */
  readonly migrate?: boolean;
  /** How the outbox of each service is read. Default `{ by: "polling" }`. */
  readonly outbox?: PostgresOutbox;
  /** Default: JSON lines on stderr, from `warn` on. */
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
}

/**
 * How outgoing rows are found once they are committed: `polling` (with a hint by NOTIFY), or `replication`, which reads them from the server's write-ahead log.
 *
 * `replication` needs `wal_level=logical`, a user with the attribute `replication`, and a connection to the server itself: `url`, if the other is of a pooler. Whatever it cannot do
 * is polled, with a warning. Delivery and order are the same, and the way may be changed at any time.
 *
 * With `debezium` Postrider sends nothing itself: a connector with {@link debeziumConnector}'s configuration carries the rows, and they are removed once it has confirmed them.
 */
export type PostgresOutbox = PgOutboxWay;

/** What {@link postgresStores} takes. */
export interface PostgresStoreOptions extends PostgresConnection {
  /** Where the tables are: one schema for all services, or one for each. Default `public`. With `url`, each schema has connections of its own. */
  readonly schema?: string | ((service: string) => string);
}

/** What {@link postgres} takes. */
export interface PostgresOptions extends PostgresConnection {
  /** Where the tables are. Default `public`. */
  readonly schema?: string;
  /** How long a process that has died keeps its lanes, in milliseconds; by the server's clock. Default 4000, at least 200. */
  readonly leaseMs?: number;
  /** How long read messages are kept for replay. */
  readonly retention?: PostgresLogRetention;
  /** The largest body in bytes. Default 16 MiB. */
  readonly maxBodyBytes?: number;
  readonly ids?: Ids;
}

const DEFAULT_SCHEMA = "public";
const MIN_LEASE_MS = 200;

/**
 * Runs an app on one PostgreSQL schema: transport, stores and the services' own tables together, in any number of processes.
 *
 * Delivery: effectively once by position, because a message is settled in the transaction of its effects; by message id where the same one may be sent again.
 * Order: per key. Durability: that of the server's commits. Needs the package `pg` where a `url` is given.
 * @throws PR_CONFIG_INVALID
 */
export function postgres(options: PostgresOptions): Infrastructure {
  const { schema = DEFAULT_SCHEMA, leaseMs, retention, maxBodyBytes, ids } = options;
  const database = open(options, schema, {
    ...(leaseMs === undefined ? {} : { leaseMs: Math.max(MIN_LEASE_MS, leaseMs) }),
    ...(retention === undefined ? {} : { retention }),
    ...(maxBodyBytes === undefined ? {} : { maxBodyBytes }),
    ...(ids === undefined ? {} : { ids }),
  });
  const transport = database.transport();
  return { commands: transport, events: transport, store: (service) => database.store(service) };
}

/**
 * Stores in PostgreSQL, for an app whose messages travel on something else: `createBus({ …, store: postgresStores({ pool }) })`.
 *
 * Services of one schema share its tables, never a row. Needs the package `pg` where a `url` is given.
 * @throws PR_CONFIG_INVALID
 */
export function postgresStores(options: PostgresStoreOptions): (service: string) => Store {
  const { schema = DEFAULT_SCHEMA } = options;
  const databases = new Map<string, PgDatabase>();
  const databaseOf = (name: string): PgDatabase => {
    const known = databases.get(name) ?? open(options, name);
    databases.set(name, known);
    return known;
  };
  if (typeof schema === "string") databaseOf(schema); // a mistake in the options is told here, not at the first service
  return (service) => databaseOf(typeof schema === "string" ? schema : schema(service)).store(service);
}

/**
 * The SQL that makes all tables of a schema, for who lets the application run without the right to make any (`migrate: false`).
 *
 * For an empty schema. Each further release says in its notes what to run.
 */
export function postgresMigrations(schema: string = DEFAULT_SCHEMA): string {
  return [STORE_PART, LOG_PART].map((part) => migrationSql(schema, part)).join("\n");
}

/**
 * The SQL that lets outboxes of a schema be read by logical replication, for who lets the application run without the right to make publications (`migrate: false`).
 *
 * Run it once, after {@link postgresMigrations}. The slots, one for each service, are made by the application: its user needs the attribute `replication`.
 */
export function postgresReplication(schema: string = DEFAULT_SCHEMA): string {
  return `${publicationSql(schema)};\n`;
}

function open(options: PostgresConnection, schema: string, more: Partial<Parameters<typeof openPostgres>[0]> = {}): PgDatabase {
  const { url, pool, maxConnections = 10, clock = systemClock, prepare = true, migrate = true } = options;
  const mistakes: string[] = [];
  if ((url === undefined) === (pool === undefined)) mistakes.push("postgres needs exactly one of url and pool");
  if (!Number.isInteger(maxConnections) || maxConnections < 2)
    mistakes.push("postgres({ maxConnections }) must be a whole number from 2 on");
  const { outbox = { by: "polling" } } = options;
  if (!["polling", "replication", "debezium"].includes(outbox.by))
    mistakes.push('postgres({ outbox: { by } }) is "polling", "replication" or "debezium"');
  if (mistakes.length > 0) throw fail("PR_CONFIG_INVALID", { mistakes: mistakes.join("; ") });
  const { random = systemRandom, logger = jsonLogger({ level: "warn", write: (line) => void process.stderr.write(line), clock }) } =
    options;
  return openPostgres({
    ids: uuidv7Ids(clock),
    ...options,
    ...more,
    schema,
    isPrepared: prepare,
    migrates: migrate,
    clock,
    random,
    logger,
  });
}
