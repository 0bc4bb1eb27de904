import type { ClientConfig } from "pg";
import type { Clock } from "../../base/clock.ts";
import type { Ids } from "../../base/ids.ts";
import type { Random } from "../../base/random.ts";
import type { Logger } from "../../ports/logger.ts";
import type { PgConnections } from "./connection.ts";
import type { PgListener } from "./listener.ts";
import type { GroupCommit } from "./participant.ts";
import type { Places } from "./places.ts";

/** What a store needs of its database. */
export interface StoreHost {
  readonly connections: PgConnections;
  readonly listener: PgListener;
  /** Transactions take a place each. */
  readonly places: Places;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly ids: Ids;
  /** The schema, as it is. */
  readonly schema: string;
  /** Whether what is missing in the database is made. */
  readonly migrates: boolean;
  /** How to connect in order to read outboxes by logical replication; undefined where they are polled. */
  readonly replication: (() => Promise<ClientConfig>) | undefined;
  /** The slot of a connector that carries outgoing rows instead of our relays; undefined where there is none. */
  readonly carriedBy: string | undefined;
  /** The schema, quoted. */
  readonly quotedSchema: string;
  /** Whether statements of our own are prepared, once per connection. */
  readonly isPrepared: boolean;
  /** What begins a unit of work; `read committed`, with the schema first in the search path. */
  readonly begin: string;
  /** What begins a transaction that only reads. */
  readonly beginRead: string;
  /** Where a transport lives in the same database: what commits its part of transactions that did nothing else. */
  readonly groupCommit: GroupCommit | undefined;
  enter(user: object): Promise<void>;
  leave(user: object): Promise<void>;
}
