import { expect, test } from "vitest";
import { memoryWorld } from "../adapters/memory/world.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { deferred } from "../base/deferred.ts";
import { service } from "../pipeline/service.ts";
import type { Service } from "../pipeline/service.ts";
import type { Store, StoreTransaction } from "../ports/store.ts";
import { appOf, OrderMoved } from "./app.test-support.ts";
import type { TestApp } from "./app.test-support.ts";

const MAX_PARKED = 3;

type Moved = typeof OrderMoved;

/** A service that fails at the first step until it is mended, and notes the others. */
function watching(seen: number[], mended: { is: boolean }, contract: Moved = OrderMoved): Service {
  const handle = ({ step }: { step: number }): void => {
    if (step === 0 && !mended.is) throw new Error("not yet");
    seen.push(step);
  };
  return service("watching", (on) => on(contract, handle), { retry: { immediate: 0, delayed: 0 }, maxParkedPerKey: MAX_PARKED });
}

/** The same contract, of which one step is only understood once `isKnown`. */
function understoodLate(step: number, isKnown: Promise<void>): Moved {
  const { schema } = OrderMoved;
  const validate: (typeof schema)["~standard"]["validate"] = async (value) => {
    if ((value as { step: number }).step === step) await isKnown;
    return schema["~standard"].validate(value);
  };
  return { ...OrderMoved, schema: { ...schema, "~standard": { ...schema["~standard"], validate } } };
}

/** A store whose first answer that too many are parked is on its way until `isThere`. */
function slowToCount(store: Store, isThere: Promise<void>): Store {
  let isFirst = true;
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (name !== "transaction") return value.bind(target) as unknown;
      return async (work: (transaction: StoreTransaction) => unknown) => {
        const result = await target.transaction(work);
        if (result !== MAX_PARKED || !isFirst) return result;
        isFirst = false;
        await isThere;
        return result;
      };
    },
  });
}

async function publish(app: TestApp, steps: readonly number[]): Promise<void> {
  for (const step of steps) await app.bus.as("watching").publish(OrderMoved, { orderId: "a", step });
  await app.pass(100);
}

async function redriveAll(app: TestApp): Promise<void> {
  for (const { id } of await app.bus.operations.deadLetters()) await app.bus.operations.redrive(id);
  await app.pass(5000);
}

test("what finds too many parked before it goes back with all that came after it: none of that is parked, or handled, before it", async () => {
  const clock = new VirtualClock();
  const world = memoryWorld({ clock });
  const { promise: isThere, resolve } = deferred();
  const [seen, mended]: [number[], { is: boolean }] = [[], { is: false }];
  await using app = await appOf([watching(seen, mended)], { clock, world, store: (name) => slowToCount(world.store(name), isThere) });
  await publish(app, [0, 1, 2, 3, 4, 5]); // 1 to 3 are parked, 4 is about to find that they are too many
  mended.is = true;
  await redriveAll(app);
  await publish(app, [6, 7]); // behind the redriven one, which waits for its turn behind 5
  resolve();
  await app.pass(10_000);
  expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test("what was on its way to the floor when its lane paused goes back too, before the lane goes on", async () => {
  const clock = new VirtualClock();
  const world = memoryWorld({ clock });
  const [there, known] = [deferred(), deferred()];
  const [seen, mended]: [number[], { is: boolean }] = [[], { is: false }];
  const late = watching(seen, mended, understoodLate(6, known.promise));
  await using sender = await appOf([watching([], mended), service("sender", () => undefined)], { clock, world, run: ["sender"] });
  await using app = await appOf([late], { clock, world, store: (name) => slowToCount(world.store(name), there.promise) });
  const send = async (steps: readonly number[]): Promise<void> => {
    for (const step of steps) await sender.bus.as("sender").publish(OrderMoved, { orderId: "a", step });
    await app.pass(100);
  };
  await send([0, 1, 2, 3, 4, 5]);
  await send([6]);
  mended.is = true;
  await redriveAll(app);
  there.resolve();
  await app.pass(5000);
  expect(seen).toEqual([0, 1, 2, 3]);
  known.resolve();
  await app.pass(5000);
  expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test("a lane that was paused for what is parked, and changed hands meanwhile, goes on", async () => {
  const [seen, mended]: [number[], { is: boolean }] = [[], { is: false }];
  await using app = await appOf([watching(seen, mended)]);
  await publish(app, [0, 1, 2, 3, 4, 5]);
  expect((await app.bus.health()).subscriptions[0]?.state).toBe("paused");
  app.world.loseLanes("watching", "order.events");
  mended.is = true;
  await redriveAll(app);
  await publish(app, [6]);
  expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6]);
});
