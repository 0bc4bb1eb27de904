// One process that relays an outbox by replication until it is ended; each row that it sends it writes to standard output. Told by its arguments: address, schema.
import { OutboxWorld } from "./outbox-world.ts";

const [url, schema] = process.argv.slice(2) as [string, string];
const world = new OutboxWorld({ url, schema });
await world.relay((id) => (process.send?.(id), true));
process.once("SIGTERM", () => void world[Symbol.asyncDispose]().then(() => process.exit(0)));
