import { join } from "node:path";
import { sqlite } from "postrider/sqlite";
import type { SqliteOptions } from "postrider/sqlite";
import type { Infrastructure } from "postrider";

/** Where messages and tables live: in one file; or the messages in a file of their own, which the stores know nothing of, as with a broker. */
export type Layout = "one" | "apart";

/** The file of the stores and of the system's own tables. */
export function storeFile(folder: string): string {
  return join(folder, "app.db");
}

/** The ledger of what was done outside. */
export function outsideFile(folder: string): string {
  return join(folder, "outside.jsonl");
}

/** The files of a crash system. */
export function crashFiles(layout: Layout, folder: string, options: SqliteOptions): Infrastructure {
  const stores = sqlite(storeFile(folder), options);
  if (layout === "one") return stores;
  const { commands, events } = sqlite(join(folder, "broker.db"), options);
  return { commands, events, store: stores.store };
}
