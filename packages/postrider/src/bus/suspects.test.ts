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
