import { z } from "zod";
import { countedIds } from "../base/ids.ts";
import { seededRandom } from "../base/random.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { memoryWorld } from "../adapters/memory/world.ts";
import type { MemoryWorld } from "../adapters/memory/world.ts";
import { command, event } from "../contracts/contract.ts";
import type { Service } from "../pipeline/service.ts";
import type { LogFields, Logger } from "../ports/logger.ts";
import type { ReadMessage } from "../ports/transport.ts";
import type { Alert } from "../telemetry/alert.ts";
import type { Bus, BusOptions } from "./api.ts";
import { createBus } from "./bus.ts";

/** The contracts of these tests. */
export const Order = z.object({ orderId: z.string(), total: z.number() });
export const PlaceOrder = command("order.place", { schema: Order, key: (order) => order.orderId });
export const PriceOrder = command("order.price", { schema: Order, reply: z.object({ price: z.number() }), key: (order) => order.orderId });
export const OrderPlaced = event("order.placed", { schema: Order, key: (order) => order.orderId });
export const OrderMoved = event("order.moved", {
  schema: z.object({ orderId: z.string(), step: z.number() }),
  key: (move) => move.orderId,
  ordered: true,
});

/** An app on memory, on a clock that stands still. */
export interface TestApp extends AsyncDisposable {
  readonly bus: Bus;
  readonly clock: VirtualClock;
  readonly world: MemoryWorld;
  readonly alerts: Alert[];
  readonly lines: { readonly level: string; readonly text: string; readonly fields: LogFields }[];
  /** Moves the clock, a little by default: enough for everything that is ready. */
  pass(ms?: number): Promise<void>;
}

export async function appOf(
  services: readonly Service[],
  options: Partial<BusOptions> & { readonly world?: MemoryWorld; readonly clock?: VirtualClock } = {},
): Promise<TestApp> {
  const { world: sharedWorld, clock: sharedClock, ...busOptions } = options;
  const clock = sharedClock ?? new VirtualClock();
  const world = sharedWorld ?? memoryWorld({ clock });
  const transport = world.transport();
  const alerts: Alert[] = [];
  const lines: { level: string; text: string; fields: LogFields }[] = [];
  const bus = createBus({
    services,
    commands: transport,
    events: transport,
    store: (service) => world.store(service),
    clock,
    ids: countedIds(clock, stem++),
    random: seededRandom(1),
    logger: recorder(lines),
    alerts: { onAlert: (alert) => alerts.push(alert) },
    ...busOptions,
  });
  await bus.start();
  return { bus, clock, world, alerts, lines, pass: (ms = 5) => clock.advance(ms), [Symbol.asyncDispose]: () => stopOn(bus, clock) };
}

let stem = 0;

/** A stop may wait for timers: the clock moves along with it. */
async function stopOn(bus: Bus, clock: VirtualClock): Promise<void> {
  const state = { isDone: false };
  const stopped = bus.stop().finally(() => (state.isDone = true));
  while (!state.isDone) await clock.advance(100);
  await stopped;
}

function recorder(lines: { level: string; text: string; fields: LogFields }[]): Logger {
  const at = (level: string) => (fields: LogFields, text: string) => void lines.push({ level, text, fields });
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Everything that a destination holds. */
export async function readAll(world: MemoryWorld, destination: string): Promise<ReadMessage[]> {
  const reader = world.transport();
  await reader.open();
  const messages: ReadMessage[] = [];
  for await (const message of reader.read(destination, { from: "earliest" })) messages.push(message);
  return messages;
}
