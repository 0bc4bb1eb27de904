import type { Infrastructure } from "postrider";
import { kafka } from "postrider/kafka";
import { postgres, postgresStores } from "postrider/postgres";
import { rabbitmq } from "postrider/rabbitmq";

/** What carries messages. The stores are on PostgreSQL, which with `postgres` is the transport too. */
export type On = "postgres" | "rabbitmq" | "kafka";

/** Where the servers of a soak are. */
export interface Places {
  readonly on: On;
  /** Of PostgreSQL. */
  readonly store: string;
  /** Of the broker; unused on `postgres`. */
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
