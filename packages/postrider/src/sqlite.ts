export { sqlite } from "./presets/sqlite.ts";
export type { SqliteOptions } from "./presets/sqlite.ts";
export type { LogRetention } from "./adapters/sqlite/trim.ts";
