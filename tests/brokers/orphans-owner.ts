import { once } from "node:events";
import type { BrokerKind } from "./kinds.ts";
import { ownBroker } from "./own.ts";

// A process that has servers of its own, the first of them frozen, and never closes them: nothing of it may stay behind when it is killed, or simply ends.
const kinds = process.argv.slice(2) as BrokerKind[];
const brokers = await Promise.all(kinds.map((kind) => ownBroker(kind)));
await brokers[0]?.freeze();
console.log("ready");
await once(process.stdin.resume(), "end");
