import type { Infrastructure } from "postrider";
import { kafka } from "postrider/kafka";
import { postgres, postgresStores } from "postrider/postgres";
import { rabbitmq } from "postrider/rabbitmq";
import { sqlite } from "postrider/sqlite";

/** What carries messages. The stores are on PostgreSQL, which with `postgres` is the transport too; with `sqlite` one file is both. */
export type On = "sqlite" | "postgres" | "rabbitmq" | "kafka";

/** Where a service remembers, and the ledgers are. */
export type StoreOf = Exclude<Infrastructure["store"], "none">;

/** Where the servers of a soak are. */
export interface Places {
  readonly on: On;
  /** PostgreSQL's URL, or the path of the file. */
  readonly store: string;
  /** Of the broker; unused on `postgres` and `sqlite`. */
  readonly broker: string;
  /** On Kafka, of a process whose name survives its restart, as a pod's of a stateful set: its partitions wait for it. */
  readonly instanceId?: string | undefined;
}

/** The schema of everything, the ledgers too. */
export const SCHEMA = "soak";

const LEASE_MS = 2000;
/** Without names, the least that a broker grants unless it is told otherwise: so long nobody reads what a killed process did. With names, the default. */
const UNNAMED_SESSION_MS = 6000;
const REVOKE_MS = 4000;
const MAX_CONNECTIONS = 8;

/** Opens nothing yet. */
export function soakInfrastructure({ on, store, broker, instanceId }: Places): Infrastructure {
  if (on === "sqlite") return sqlite(store, { leaseMs: LEASE_MS });
  const connection = { url: store, schema: SCHEMA, maxConnections: MAX_CONNECTIONS };
  if (on === "postgres") return postgres({ ...connection, leaseMs: LEASE_MS });
  const transport =
    on === "rabbitmq"
      ? rabbitmq({ url: broker, revokeMs: REVOKE_MS })
      : kafka({
          brokers: [broker.replace(/^kafka:\/\//, "")],
          revokeMs: REVOKE_MS,
          ...(instanceId === undefined ? { sessionMs: UNNAMED_SESSION_MS } : { instanceId }),
        });
  return { commands: transport, events: transport, store: postgresStores(connection) };
}

/** The last look at millions of rows, on a machine that others use too. */
const LOOK_LIMIT_MS = 600_000;

/** The stores again, for who only looks. */
export function lookingStores(on: On, store: string): StoreOf {
  if (on !== "sqlite") return postgresStores({ url: store, schema: SCHEMA, maxConnections: 2, statementTimeoutMs: LOOK_LIMIT_MS });
  const { store: stores } = sqlite(store);
  if (stores === "none") throw new Error("a file has stores");
  return stores;
}
