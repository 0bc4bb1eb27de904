import type { StoreConformanceOptions } from "../../testing/store-conformance.ts";
import type { TransportConformanceOptions } from "../../testing/transport-conformance.ts";

/** What the transport in PostgreSQL says of itself. */
export const postgresTransport: Pick<TransportConformanceOptions, "name" | "features" | "gaps"> = {
  name: "postgres",
  features: {
    lanes: "owned",
    positions: true,
    redeliveredFlag: false,
    priority: "emulated",
    replay: true,
    manyProcesses: true,
    history: true,
    colocated: true,
    bodyLimit: true,
    crash: true,
    foreign: false,
    retire: true,
  },
  gaps: {
    redeliveredFlag: "a log with cursors does not know what was handed over before a crash; the store's marks of what was started do",
    foreign: "nobody but Postrider writes into its tables",
  },
};

/** What the store in PostgreSQL says of itself. */
export const postgresStore: Pick<StoreConformanceOptions, "name" | "features"> = { name: "postgres", features: { sql: true, crash: true } };
