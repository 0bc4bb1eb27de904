import { expect, test } from "vitest";
import { VirtualClock } from "../base/virtual-clock.ts";
import { memoryWorld } from "../adapters/memory/world.ts";
import { service } from "../pipeline/service.ts";
import type { Store, StoreTransactionOptions } from "../ports/store.ts";
import { appOf, PlaceOrder } from "./app.test-support.ts";

test("after one crash a suspect shares a transaction as others do; after a second one, when it runs alone, it shares none", async () => {
  const clock = new VirtualClock();
  const world = memoryWorld({ clock });
  const shared: boolean[] = [];
  const noting = (name: string): Store => {
    const store = world.store(name);
    // Its methods go to the store itself, whose fields are private to it.
    return new Proxy(store, {
      get: (target, part) => {
        const value: unknown = Reflect.get(target, part, target);
        if (typeof value !== "function") return value;
        if (part !== "transaction") return value.bind(target) as unknown;
        return (work: Parameters<Store["transaction"]>[0], options?: StoreTransactionOptions) => {
          shared.push(options?.mayShare === true);
          return target.transaction(work, options);
        };
      },
    });
  };
  const sender = service("sender", () => undefined);
  const fragile = service(
    "fragile",
    (on) =>
      on(PlaceOrder, async (_order, { tx }) => {
        await tx.run("create table if not exists orders (id text primary key)");
        return new Promise(() => undefined); // until its process ends
      }),
    { timeoutMs: 0 },
  );
  await using before = await appOf([sender, fragile], { clock, world, run: ["sender"] });
  await before.bus.as("sender").send(PlaceOrder, { orderId: "o-1", total: 1 });
  for (let crash = 0; crash < 3; crash++) {
    const app = await appOf([sender, fragile], { clock, world, run: ["fragile"], store: noting });
    await app.pass();
    world.crash();
  }
  expect(shared).toEqual([true, true, false]);
});

test("the dead letter of a message that ended its process each time says how often it was started", async () => {
  const clock = new VirtualClock();
  const world = memoryWorld({ clock });
  const fragile = service("fragile", (on) => on(PlaceOrder, () => new Promise(() => undefined)), { timeoutMs: 0, maxStarts: 3 });
  for (let crash = 0; crash < 3; crash++) {
    const app = await appOf([fragile], { clock, world });
    if (crash === 0) await app.bus.as("fragile").send(PlaceOrder, { orderId: "o-1", total: 1 });
    await app.pass();
    world.crash();
  }
  await using app = await appOf([fragile], { clock, world });
  await app.pass();
  expect(await app.bus.operations.deadLetters({}, { limit: 9 })).toMatchObject([{ code: "PR_POISON", attempts: 3 }]);
  expect(app.alerts.map(({ text }) => text)).toEqual([expect.stringContaining("after 3 attempts")]);
});

/** A store that notes whose starts are counted. */
function counting(store: Store, counted: string[]): Store {
  const countStart = store.starts.countStart.bind(store.starts);
  Object.assign(store.starts, {
    countStart: (messageId: string) => {
      counted.push(messageId);
      return countStart(messageId);
    },
  });
  return store;
}

/** A service that handles what is sent once it is let; what is interrupted has done nothing. */
function patient(gate: { isOpen: boolean }, handled: string[]) {
  return service("patient", (on) =>
    on(PlaceOrder, ({ orderId }, { signal }) => {
      if (gate.isOpen) return void handled.push(orderId);
      return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
    }),
  );
}

test("what a process had in hand when it lost a lane is no suspect when the lane comes back to it: it has not died of it", async () => {
  const clock = new VirtualClock();
  const world = memoryWorld({ clock });
  const [gate, handled, counted]: [{ isOpen: boolean }, string[], string[]] = [{ isOpen: false }, [], []];
  await using app = await appOf([patient(gate, handled)], { clock, world, store: (name) => counting(world.store(name), counted) });
  for (const orderId of ["o-1", "o-2", "o-3"]) await app.bus.as("patient").send(PlaceOrder, { orderId, total: 1 });
  await app.pass(100);
  gate.isOpen = true;
  world.loseLanes("patient", "order.commands");
  await app.pass(10_000);
  expect([handled.toSorted(), counted]).toEqual([["o-1", "o-2", "o-3"], []]);
});
