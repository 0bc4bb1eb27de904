import type { Store } from "../../ports/store.ts";
import { MysqlConnections } from "./connection.ts";
import type { MysqlPoolOptions, MysqlSource } from "./connection.ts";
import { migrate } from "./migrations.ts";
import { Places } from "./places.ts";
import { MysqlStore } from "./store.ts";
import type { StoreHost } from "./store.ts";
import { STORE_STEPS } from "./store-schema.ts";

/** What a database is opened with. */
export interface MysqlDatabaseOptions extends MysqlSource, MysqlPoolOptions {}

// One of the pool is for what is done outside transactions.
const RESERVED_CONNECTIONS = 1;

/** One MySQL or MariaDB database: its stores share connections, and open and close them together. */
export class MysqlDatabase implements StoreHost {
  readonly connections: MysqlConnections;
  readonly places: Places;
  readonly #users = new Set<object>();

  constructor(options: MysqlDatabaseOptions) {
    this.connections = new MysqlConnections(options, options);
    this.places = new Places(this.connections.max - RESERVED_CONNECTIONS);
  }

  /** A service's store. */
  store(service: string): Store {
    return new MysqlStore(this, service);
  }

  /** Opens it for a user of it, and brings the tables up to date. */
  async enter(user: object, service: Buffer): Promise<void> {
    this.#users.add(user);
    try {
      const connection = await this.connections.borrow();
      try {
        await migrate(connection, service, STORE_STEPS);
      } finally {
        connection.release();
      }
    } catch (error) {
      await this.leave(user);
      throw error;
    }
  }

  /** Closes the connections when the last user leaves; a pool of the caller's stays open. */
  async leave(user: object): Promise<void> {
    if (this.#users.delete(user) && this.#users.size === 0) await this.connections.close();
  }
}
