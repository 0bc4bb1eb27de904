import type { StoreConformanceOptions } from "../../testing/store-conformance.ts";

/** What the store in MySQL or MariaDB says of itself. */
export const mysqlStore: Pick<StoreConformanceOptions, "name" | "features"> = { name: "mysql", features: { sql: true, crash: true } };
