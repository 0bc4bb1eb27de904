import { expect, test } from "vitest";
import { memoryWorld } from "../adapters/memory/world.ts";
import type { MemoryWorld } from "../adapters/memory/world.ts";
import { countedIds } from "../base/ids.ts";
import { seededRandom } from "../base/random.ts";
import { fail } from "../base/errors.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { service } from "../pipeline/service.ts";
import { silentLogger } from "../telemetry/json-logger.ts";
import type { Transport } from "../ports/transport.ts";
import type { Bus, BusOptions } from "./api.ts";
import { PlaceOrder } from "./app.test-support.ts";
import { createBus } from "./bus.ts";

/** A broker that does not answer before it is there. */
class Absent {
  isThere = false;
  tries = 0;
  /** How often it is gone again at the moment when reading begins. */
  lostReads = 0;
  /** Whether it is gone again before it has the topology. */
  isBare = false;

  /** The transport as this broker carries it: what it cannot do while it is absent fails as an outage does. */
  before(transport: Transport): Transport {
    const open = async (): Promise<void> => {
      this.tries++;
      if (!this.isThere) throw fail("PR_TRANSPORT_FAILED", { transport: "far", during: "connecting", detail: "connection refused" });
      await transport.open();
    };
    const apply: Transport["apply"] = async (topology) => {
      if (this.isBare) throw fail("PR_TRANSPORT_FAILED", { transport: "far", during: "apply", detail: "connection reset" });
      await transport.apply(topology);
    };
    const consume: Transport["consume"] = async (subscription, sink) => {
      if (this.lostReads-- > 0) throw fail("PR_TRANSPORT_FAILED", { transport: "far", during: "reading", detail: "connection reset" });
      return transport.consume(subscription, sink);
    };
    return new Proxy(transport, {
      get: (target, name) => {
        if (name === "open") return open;
        if (name === "apply") return apply;
        if (name === "consume") return consume;
        if (name === "colocated") return undefined;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }
}

interface Scene {
  readonly clock: VirtualClock;
  readonly world: MemoryWorld;
  readonly broker: Absent;
  readonly handled: string[];
  readonly bus: Bus;
}

function scene(change: Partial<BusOptions> = {}): Scene {
  const clock = new VirtualClock();
  const world = memoryWorld({ clock });
  const broker = new Absent();
  const transport = broker.before(world.transport());
  const handled: string[] = [];
  const ordering = service("ordering", (on) => on(PlaceOrder, ({ orderId }) => void handled.push(orderId)));
  const bus = createBus({
    services: [ordering],
    commands: transport,
    events: transport,
    store: (name) => world.store(name),
    clock,
    random: seededRandom(1),
    ids: countedIds(clock, 7),
    logger: silentLogger,
    ...change,
  });
  return { clock, world, broker, handled, bus };
}

/** Moves the clock along until something has settled. */
async function settled<Result>(clock: VirtualClock, work: Promise<Result>): Promise<PromiseSettledResult<Result>> {
  const state = { isDone: false };
  const outcome = Promise.allSettled([work]).finally(() => (state.isDone = true));
  while (!state.isDone) await clock.advance(50);
  return (await outcome)[0];
}

test("a start goes on without its broker: what is sent waits in the outbox, health says what is missing, and reading begins when it answers", async () => {
  const { clock, broker, handled, bus } = scene();
  expect((await settled(clock, bus.start())).status).toBe("fulfilled");
  await bus.as("ordering").send(PlaceOrder, { orderId: "early", total: 1 });
  await clock.advance(60_000);
  expect(handled).toEqual([]);
  expect(await bus.health()).toMatchObject({
    isReady: false,
    state: "running",
    reason: expect.stringContaining("connection refused") as string,
  });

  broker.isThere = true;
  await clock.advance(60_000);
  expect(handled).toEqual(["early"]);
  expect((await bus.health()).isReady).toBe(true);
  await settled(clock, bus.stop());
});

test("what is sent past the outbox before the broker has the topology is told that it may try again", async () => {
  const { clock, broker, handled, bus } = scene();
  broker.isThere = broker.isBare = true;
  expect((await settled(clock, bus.start())).status).toBe("fulfilled");
  const sending = (): Promise<unknown> => bus.as("ordering").send(PlaceOrder, { orderId: "o-1", total: 1 }, { direct: true });
  await expect(sending()).rejects.toMatchObject({ code: "PR_TRANSPORT_FAILED", retryable: true });

  broker.isBare = false;
  await clock.advance(60_000);
  await sending();
  await clock.advance(1000);
  expect(handled).toEqual(["o-1"]);
  await settled(clock, bus.stop());
});

test("a broker that goes again just when reading begins is asked again", async () => {
  const { clock, broker, handled, bus } = scene();
  broker.isThere = true;
  broker.lostReads = 3;
  expect((await settled(clock, bus.start())).status).toBe("fulfilled");
  await bus.as("ordering").send(PlaceOrder, { orderId: "o-1", total: 1 });
  await clock.advance(10_000);
  expect([handled, broker.lostReads < 0, (await bus.health()).isReady]).toEqual([["o-1"], true, true]);
  await settled(clock, bus.stop());
});

test("without a store a start waits for its broker, and fails when its patience is over", async () => {
  const { clock, broker, bus } = scene({ store: "none", startPatienceMs: 10_000 });
  const outcome = await settled(clock, bus.start());
  expect(outcome).toMatchObject({ status: "rejected", reason: { code: "PR_TRANSPORT_FAILED" } });
  expect(broker.tries).toBeGreaterThan(5);
  await settled(clock, bus.stop());
});

test("a stop ends the trying at once", async () => {
  const { clock, broker, bus } = scene();
  await settled(clock, bus.start());
  await settled(clock, bus.stop());
  const { tries } = broker;
  await clock.advance(60_000);
  expect([broker.tries, (await bus.health()).state]).toEqual([tries, "stopped"]);
});

test("a start waits for its database, says so once, and fails when its patience is over", async () => {
  const world = memoryWorld();
  let tries = 0;
  const said: string[] = [];
  const { clock, broker, bus } = scene({
    startPatienceMs: 10_000,
    logger: { ...silentLogger, warn: (_fields, text) => void said.push(text ?? "") },
    store: (name) => {
      const store = world.store(name);
      const open = async (): Promise<void> => {
        tries++;
        throw fail("PR_STORE_FAILED", { store: "far", during: "its opening", detail: "connection refused" });
      };
      return new Proxy(store, { get: (target, key) => (key === "open" ? open : (Reflect.get(target, key, target) as unknown)) });
    },
  });
  broker.isThere = true;
  expect(await settled(clock, bus.start())).toMatchObject({ status: "rejected", reason: { code: "PR_STORE_FAILED" } });
  expect(tries).toBeGreaterThan(5);
  expect(said).toEqual(["the database does not open yet; it is tried again and again"]);
});
