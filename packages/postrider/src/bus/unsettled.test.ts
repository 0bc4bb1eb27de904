import { expect, test } from "vitest";
import { memoryWorld } from "../adapters/memory/world.ts";
import { fail } from "../base/errors.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { service } from "../pipeline/service.ts";
import type { Store } from "../ports/store.ts";
import { appOf, OrderMoved } from "./app.test-support.ts";

/** A store on a database of its own: so many of its next transactions fail, or are committed and not answered. */
function frail(store: Store, database: { failing: number; silent: number }): Store {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      const call = value.bind(target) as (...given: readonly unknown[]) => unknown;
      if (name !== "transaction" || database.failing + database.silent === 0) return call;
      return async (...given: readonly unknown[]) => {
        if (database.failing > 0) database.failing--;
        else {
          database.silent--;
          await call(...given);
        }
        throw fail("PR_STORE_FAILED", { store: "far", during: "a transaction", detail: "connection lost" });
      };
    },
  });
}

test.for([
  ["could not even be put off", "failing"],
  ["was put off by a write without an answer", "silent"],
] as const)("a message that failed and %s keeps its key: no later one of it passes", async ([, how]) => {
  const clock = new VirtualClock();
  const world = memoryWorld({ clock });
  const database = { failing: 0, silent: 0 };
  const handled: number[] = [];
  let runs = 0;
  const moving = service(
    "moving",
    (on) =>
      on(OrderMoved, ({ step }) => {
        if (step === 1 && runs++ === 0) {
          database[how] = 1; // just long enough to lose what becomes of this one
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
  expect([handled, database]).toEqual([[1, 2, 3], { failing: 0, silent: 0 }]);
});
