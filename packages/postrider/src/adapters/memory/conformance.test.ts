import { describe, test } from "vitest";
import { VirtualClock } from "../../base/virtual-clock.ts";
import { storeConformance } from "../../testing/store-conformance.ts";
import { transportConformance } from "../../testing/transport-conformance.ts";
import type { TransportFixture } from "../../testing/transport-environment.ts";
import type { StoreFixture } from "../../testing/store-environment.ts";
import { memoryStore, memoryTransport } from "./declared.test-support.ts";
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

transportConformance({ ...memoryTransport, create, suite: { describe, test } });

storeConformance({ ...memoryStore, create, suite: { describe, test } });
