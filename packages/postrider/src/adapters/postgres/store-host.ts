import type { Clock } from "../../base/clock.ts";
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
