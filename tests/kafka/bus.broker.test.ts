import { describe, expect, inject, test } from "vitest";
import { systemClock } from "../../packages/postrider/src/base/clock.ts";
import { command, event } from "../../packages/postrider/src/contracts/contract.ts";
import { createBus } from "../../packages/postrider/src/bus/bus.ts";
import type { Bus, BusOptions } from "../../packages/postrider/src/bus/api.ts";
import type { StandardSchema } from "../../packages/postrider/src/contracts/standard-schema.ts";
import { service } from "../../packages/postrider/src/pipeline/service.ts";
import type { Service } from "../../packages/postrider/src/pipeline/service.ts";
import { kafka } from "../../packages/postrider/src/presets/kafka.ts";
import { memory } from "../../packages/postrider/src/presets/memory.ts";
import { silentLogger } from "../../packages/postrider/src/telemetry/json-logger.ts";
import { brokersOf, freshDestination, until } from "./harness.ts";

const { url, missing } = inject("brokers").kafka;
const Order = anything<{ readonly orderId: string; readonly at: number }>();

/** A schema that takes what it is given. */
function anything<Body>(): StandardSchema<Body, Body> {
  return { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: value as Body }) } };
}

/** Contracts whose destinations are one test's own. */

function contractsOf(context: string) {
  return {
    Place: command(`${context}.place`, { schema: Order, key: (order) => order.orderId }),
    Price: command(`${context}.price`, { schema: Order, reply: anything<{ readonly price: number }>(), key: (order) => order.orderId }),
    Placed: event(`${context}.placed`, { schema: Order, key: (order) => order.orderId }),
  };
}

function busOf(services: readonly Service[], options: Partial<BusOptions> = {}): Bus {
  const transport = (): ReturnType<typeof kafka> =>
    kafka({ brokers: brokersOf(url!), logger: silentLogger, replyTopic: "bus-test.replies" });
  return createBus({
    services,
    commands: transport(),
    events: transport(),
    store: memory().store,
    lanes: 4,
    logger: silentLogger,
    ...options,
  });
}

const fresh = (): string => freshDestination(1).name.replace(".events", "");

// The reason stands in the name.
describe.skipIf(missing !== undefined)(`an app on Kafka${missing === undefined ? "" : ` (${missing})`}`, () => {
  test("a command becomes an event by way of outbox and relay, each exactly once, in order per key", async () => {
    const { Place, Placed } = contractsOf(fresh());
    const seen: { orderId: string; at: number }[] = [];
    const ordering = service("ordering", (on) => on(Place, (order, { publish }) => void publish(Placed, order)));
    const mailing = service("mailing", (on) => on(Placed, (order) => void seen.push(order)));
    await using bus = busOf([ordering, mailing]);
    await bus.start();
    const orders = Array.from({ length: 600 }, (_, at) => ({ orderId: `o-${at % 30}`, at }));
    await Promise.all(orders.map((order) => bus.as("ordering").send(Place, order)));
    await until(() => seen.length >= orders.length, "every order had been told");
    await systemClock.sleep(200); // what must not come a second time gets its chance
    expect(seen.length).toBe(orders.length);
    for (let key = 0; key < 30; key++) {
      const ofKey = seen.filter(({ orderId }) => orderId === `o-${key}`).map(({ at }) => at);
      expect(ofKey).toEqual(ofKey.toSorted((left, right) => left - right));
    }
  });

  test("a request is answered to the instance that asks", async () => {
    const { Price } = contractsOf(fresh());
    const pricing = service("pricing", (on) => on(Price, ({ at }, { reply }) => void reply({ price: at * 2 })));
    await using bus = busOf([pricing]);
    await bus.start();
    await bus.as("pricing").request(Price, { orderId: "warm", at: 1 }, { timeoutMs: 20_000 });
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, at) => bus.as("pricing").request(Price, { orderId: `o-${at}`, at }, { timeoutMs: 20_000 })),
    );
    expect(answers.map(({ price }) => price)).toEqual(answers.map((_, at) => at * 2));
  });

  test("one slow key among a thousand on one partition holds up no other", async () => {
    const { Placed } = contractsOf(fresh());
    const SLOW_MS = 5000;
    const done = new Map<string, number>();
    let slowEnded = false;
    const reading = service("reading", (on) =>
      on(Placed, async ({ orderId, at }, { clock, signal }) => {
        if (orderId === "o-0") {
          await clock.sleep(SLOW_MS, signal);
          slowEnded = true;
        }
        done.set(`${orderId} ${at}`, performance.now());
      }),
    );
    await using bus = busOf([reading], { lanes: 1 });
    await bus.start();
    const PER_KEY = 3;
    const orders = Array.from({ length: 1000 * PER_KEY }, (_, at) => ({ orderId: `o-${at % 1000}`, at }));
    await Promise.all(orders.map((order) => bus.as("reading").publish(Placed, order, { direct: true })));
    await until(() => done.size === orders.length - PER_KEY, "all but those of the slow key had been handled");
    expect(slowEnded).toBe(false);
    await until(() => done.size === orders.length, "those of the slow key had been handled too");
  });

  test("without a store it runs at least once, and what is given up goes to a topic", async () => {
    const { Placed } = contractsOf(fresh());
    const seen = new Set<number>();
    const name = fresh();
    const fails = ({ at }: { readonly at: number }): void => {
      if (at === 7) throw new Error("not this one");
      seen.add(at);
    };
    const reading = service(name, (on) => on(Placed, fails), { retry: { immediate: 1, delayed: 0 } });
    await using bus = busOf([reading], { store: "none" });
    await bus.start();
    await Promise.all(Array.from({ length: 50 }, (_, at) => bus.as(name).publish(Placed, { orderId: `o-${at % 5}`, at })));
    await until(() => seen.size === 49, "the others had been handled");
    const reader = kafka({ brokers: brokersOf(url!), logger: silentLogger });
    await reader.open();
    const letters: string[] = [];
    await until(async () => {
      letters.length = 0;
      for await (const letter of reader.read(`${name}.dead-letters`, { from: "earliest" })) letters.push(String(letter.body));
      return letters.length > 0;
    }, "the letter was there");
    expect(letters).toEqual([JSON.stringify({ orderId: "o-2", at: 7 })]);
    await reader.close();
  });
});
