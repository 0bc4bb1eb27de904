import { memoryWorld } from "../adapters/memory/world.ts";
import type { MemoryWorld, MemoryWorldOptions } from "../adapters/memory/world.ts";
import type { Infrastructure } from "../bus/api.ts";

/** What {@link memory} takes. */
export interface MemoryOptions extends MemoryWorldOptions {
  /** A world to share with others, made by `memoryWorld`. Default a new one; then the other options count. */
  readonly world?: MemoryWorld;
}

/**
 * Runs an app in memory: for tests, and for work that may be lost with the process.
 *
 * Delivery: as on every store, but nothing outlives the process. SQL in handlers runs on a SQLite database in memory.
 */
export function memory(options: MemoryOptions = {}): Infrastructure {
  const world = options.world ?? memoryWorld(options);
  const transport = world.transport();
  return { commands: transport, events: transport, store: (service) => world.store(service) };
}
