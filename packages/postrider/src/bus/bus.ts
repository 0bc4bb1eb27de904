import { fail } from "../base/errors.ts";
import type { Bus, BusOptions } from "./api.ts";

/** Wires services, transports and stores into one app. Nothing runs until `start`. */
export function createBus(options: BusOptions): Bus {
  throw fail("PR_NOT_STARTED", { call: `createBus of ${options.services.length} services` });
}
