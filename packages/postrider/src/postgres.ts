export { debeziumConnector } from "./adapters/postgres/debezium.ts";
export type { DebeziumConnectorOptions } from "./adapters/postgres/debezium.ts";
export { postgres, postgresMigrations, postgresReplication, postgresStores } from "./presets/postgres.ts";
export type { PostgresConnection, PostgresOptions, PostgresOutbox, PostgresStoreOptions } from "./presets/postgres.ts";
export type { PostgresLogRetention } from "./adapters/postgres/log-trim.ts";
export type { PgClient, PgPool, PgPoolOptions, PgQuery, PgQueryable, PgResult } from "./adapters/postgres/connection.ts";
