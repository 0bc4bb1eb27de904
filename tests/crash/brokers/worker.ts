// One process of a soak on brokers. Told by its only argument, one JSON text; ends at SIGTERM, or when enough is sent.
import { flushCompileCache } from "node:module";
import { produce } from "./produce.ts";
import { soakBus } from "./system.ts";
import type { Places } from "./infrastructure.ts";

/** What a process of a soak is told. */
export interface SoakWorker {
  readonly name: string;
  /** `relay` carries what `front` has sent and sends nothing itself. A producer carries too. */
  readonly role: "produce" | "relay" | "consume";
  readonly places: Places;
  readonly total: number;
}

const { name, role, places, total } = JSON.parse(process.argv[2]!) as SoakWorker;
const bus = soakBus(places, role === "consume" ? ["doer", "auditor"] : ["front"]);
let isOver = false;
process.once("SIGTERM", () => {
  isOver = true;
  if (role !== "produce") void bus.stop();
});
await bus.start();
flushCompileCache(); // whoever is killed writes none at its end, and every start would compile anew
if (role === "produce") {
  await produce({ bus, on: places.on, name, total, isOver: () => isOver });
  await bus.stop();
}
