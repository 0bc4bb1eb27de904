import type { StoreConformanceOptions } from "../../testing/store-conformance.ts";
import type { TransportConformanceOptions } from "../../testing/transport-conformance.ts";

/** What the transport in memory says of itself. */
export const memoryTransport: Pick<TransportConformanceOptions, "name" | "features" | "gaps"> = {
  name: "memory",
  features: {
    lanes: "owned",
    positions: true,
    redeliveredFlag: true,
    priority: "native",
    replay: true,
    manyProcesses: false,
    history: true,
    colocated: true,
    bodyLimit: true,
    crash: true,
    foreign: true,
    retire: true,
  },
  gaps: { manyProcesses: "it is the memory of one process" },
};

/** What the store in memory says of itself. */
export const memoryStore: Pick<StoreConformanceOptions, "name" | "features"> = { name: "memory", features: { sql: true, crash: true } };
