import type { MysqlPool, MysqlPoolOptions } from "../adapters/mysql/connection.ts";
import { MysqlDatabase } from "../adapters/mysql/mysql-database.ts";
import { fail } from "../base/errors.ts";
import type { Store } from "../ports/store.ts";

/** What {@link mysqlStores} takes: exactly one of `url` and `pool`. */
export interface MysqlStoreOptions extends MysqlPoolOptions {
  /** `mysql://user:password@host/database`. A pool of our own is made from it, with the settings beside it. */
  readonly url?: string;
  /** A pool of `mysql2/promise`, which stays yours: its settings are, and so is closing it. Give `maxConnections` with it if it has fewer than 10. */
  readonly pool?: MysqlPool;
}

/**
 * Stores in MySQL 8 or MariaDB from 10.6 on: `createBus({ …, store: mysqlStores({ url }) })`.
 *
 * Services share the tables of one database, never a row. Relays of other processes learn of outgoing messages by looking, each 250 ms.
 * Needs the package `mysql2` where a `url` is given. Durability: that of the server's commits.
 * @throws PR_CONFIG_INVALID
 */
export function mysqlStores(options: MysqlStoreOptions): (service: string) => Store {
  const { url, pool, maxConnections = 10 } = options;
  const mistakes: string[] = [];
  if ((url === undefined) === (pool === undefined)) mistakes.push("mysqlStores needs exactly one of url and pool");
  if (!Number.isInteger(maxConnections) || maxConnections < 2)
    mistakes.push("mysqlStores({ maxConnections }) must be a whole number from 2 on");
  if (mistakes.length > 0) throw fail("PR_CONFIG_INVALID", { mistakes: mistakes.join("; ") });
  const database = new MysqlDatabase(options);
  return (service) => database.store(service);
}
