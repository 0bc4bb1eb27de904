import { expect, test } from "vitest";
import { memoryWorld } from "../adapters/memory/world.ts";
import { service } from "../pipeline/service.ts";
import type { Store } from "../ports/store.ts";
import { appOf, PlaceOrder } from "./app.test-support.ts";

test("health turns red while a lane has messages that no process reads, though the others go on", async () => {
  const world = memoryWorld({});
  const transport = world.transport();
  const consume = transport.consume.bind(transport);
  let unowned = 1;
  transport.consume = async (subscription, sink) =>
    Object.assign(await consume(subscription, sink), {
      inspect: () => Promise.resolve({ lanes: [], backlog: 0, lagSeconds: 0, unowned }),
    });
  const ordering = service("ordering", (on) => on(PlaceOrder, () => undefined));
  await using app = await appOf([ordering], { world, commands: transport, stuckAfterMs: 10_000 });
  expect((await app.bus.health()).isReady).toBe(true); // a lane may be changing hands
  await app.pass(20_000);
  expect(await app.bus.health()).toMatchObject({ isReady: false, subscriptions: [{ state: "stuck" }] });
  expect(app.alerts.map(({ kind, text }) => `${kind}: ${text}`)).toEqual([expect.stringMatching(/^stuck: nobody has read 1 lanes/)]);
  unowned = 0;
  expect((await app.bus.health()).isReady).toBe(true);
});

test("health is red with a store's own words while it takes nothing, told once where many services say the same", async () => {
  const world = memoryWorld({});
  let trouble: string | undefined = "the disk is full";
  const store = (name: string): Store => Object.assign(world.store(name), { trouble: () => trouble });
  const [ordering, mailing] = [service("ordering", (on) => on(PlaceOrder, () => undefined)), service("mailing", () => undefined)];
  await using app = await appOf([ordering, mailing], { world, store });
  expect(await app.bus.health()).toMatchObject({ isReady: false, state: "running", reason: "memory: the disk is full" });
  trouble = undefined;
  expect((await app.bus.health()).isReady).toBe(true);
});

test("health is red with the transport's own words while it takes no messages", async () => {
  const world = memoryWorld({});
  let trouble: string | undefined = "low on memory";
  const transport = Object.assign(world.transport(), { trouble: () => trouble });
  await using app = await appOf([service("ordering", (on) => on(PlaceOrder, () => undefined))], { world, commands: transport });
  expect(await app.bus.health()).toMatchObject({ isReady: false, state: "running", reason: "memory: low on memory" });
  trouble = undefined;
  expect((await app.bus.health()).isReady).toBe(true);
});
