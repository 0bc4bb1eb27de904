// One process of several that read one schema: handles until it is ended. Told by its arguments: address, schema, name.
import { World } from "./world.ts";

const [url, schema, name] = process.argv.slice(2) as [string, string, string];
const world = new World(name, { url, schema, leaseMs: 1500, maxConnections: 6 });
await world.open();
await world.consume();
process.send?.("ready");
process.once("SIGTERM", () => void world[Symbol.asyncDispose]().then(() => process.exit(0)));
