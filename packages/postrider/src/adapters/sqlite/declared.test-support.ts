import type { StoreConformanceOptions } from "../../testing/store-conformance.ts";
import type { TransportConformanceOptions } from "../../testing/transport-conformance.ts";

/** What the transport in a SQLite file says of itself. */
export const sqliteTransport: Pick<TransportConformanceOptions, "name" | "features" | "gaps"> = {
  name: "sqlite",
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
    foreign: "nobody but Postrider writes into its file",
  },
};

/** What the store in a SQLite file says of itself. */
export const sqliteStore: Pick<StoreConformanceOptions, "name" | "features"> = { name: "sqlite", features: { sql: true, crash: true } };
