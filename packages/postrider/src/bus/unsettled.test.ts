import { expect, test } from "vitest";
import { memoryWorld } from "../adapters/memory/world.ts";
import { fail } from "../base/errors.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { service } from "../pipeline/service.ts";
import type { Store } from "../ports/store.ts";
import { appOf, OrderMoved } from "./app.test-support.ts";

/** A store on a database of its own, of which so many transactions fail. */
function frail(store: Store, database: { failing: number }): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name === "transaction" && database.failing > 0)
        return async () => {
          database.failing--;
          throw fail("PR_STORE_FAILED", { store: "far", during: "a transaction", detail: "connection refused" });
        };
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

test("a message that failed and could not even be put off keeps its key: no later one of it passes", async () => {
  const clock = new VirtualClock();
  const world = memoryWorld({ clock });
  const database = { failing: 0 };
  const handled: number[] = [];
  let runs = 0;
  const moving = service(
    "moving",
    (on) =>
      on(OrderMoved, ({ step }) => {
        if (step === 1 && runs++ === 0) {
          database.failing = 1; // just long enough to lose what becomes of this one
          throw new Error("the database is away");
        }
        handled.push(step);
      }),
    { retry: { immediate: 0 } },
  );
  await using app = await appOf([moving], { clock, world, store: (name) => frail(world.store(name), database) });
  await app.bus.as("moving").transaction(async ({ publish }) => {
    for (const step of [1, 2, 3]) publish(OrderMoved, { orderId: "o-1", step });
  });
  await app.pass(20_000);
  expect([handled, database.failing]).toEqual([[1, 2, 3], 0]);
});
