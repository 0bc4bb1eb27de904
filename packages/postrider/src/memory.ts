export { memory } from "./presets/memory.ts";
export type { MemoryOptions } from "./presets/memory.ts";
export { memoryWorld } from "./adapters/memory/world.ts";
export type { MemoryWorld, MemoryWorldOptions, PlantedMessage } from "./adapters/memory/world.ts";
