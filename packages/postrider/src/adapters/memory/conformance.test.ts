import { describe, test } from "vitest";
import { VirtualClock } from "../../base/virtual-clock.ts";
import { storeConformance } from "../../testing/store-conformance.ts";
import { transportConformance } from "../../testing/transport-conformance.ts";
import type { TransportFixture } from "../../testing/transport-environment.ts";
import type { StoreFixture } from "../../testing/store-environment.ts";
import { memoryWorld } from "./world.ts";

async function create(): Promise<TransportFixture & StoreFixture> {
  const clock = new VirtualClock();
  const world = memoryWorld({ clock, maxBodyBytes: 2 * 1024 * 1024 });
  return {
    connect: () => ({ transport: world.transport(), store: (service) => world.store(service) }),
    pass: (ms) => clock.advance(ms),
    crash: async () => world.crash(),
    plant: async (destination, message) => world.plant(destination, message),
    close: async () => undefined,
  };
}

transportConformance({
  name: "memory",
  create,
  features: {
    lanes: "owned",
    positions: true,
    priority: "native",
    replay: true,
    history: true,
    colocated: true,
    bodyLimit: true,
    crash: true,
    foreign: true,
    retire: true,
  },
  suite: { describe, test },
});

storeConformance({ name: "memory", create, features: { sql: true, crash: true }, suite: { describe, test } });
