import { expect, test } from "vitest";
import { VirtualClock } from "../../base/virtual-clock.ts";
import { TransportEnvironment } from "../../testing/transport-environment.ts";
import { codeOf } from "../../testing/wait.ts";
import { memoryWorld } from "./world.ts";
import type { MemoryWorld, MemoryWorldOptions } from "./world.ts";

function environment(options: MemoryWorldOptions = {}): { env: TransportEnvironment; world: MemoryWorld; clock: VirtualClock } {
  const clock = new VirtualClock();
  const world = memoryWorld({ ...options, clock });
  const env = new TransportEnvironment({
    connect: () => ({ transport: world.transport(), store: (service) => world.store(service) }),
    pass: (ms) => clock.advance(ms),
    crash: async () => world.crash(),
    close: async () => undefined,
  });
  return { env, world, clock };
}

test("messages that every service has passed go, but for the newest; unread ones stay", async () => {
  const { env } = environment({ keepMessages: 100 });
  const transport = await env.transport();
  const orders = env.destination("orders.events", 2);
  const [reading, absent] = [env.subscription(orders), env.subscription(orders, { service: "absent" })];
  await env.apply(transport, [reading]);
  const reader = await env.consume(transport, reading);
  const sendAll = async (): Promise<void> => {
    for (let round = 0; round < 50; round++) await env.send(transport, env.messages(orders, 200));
  };
  const kept = async (): Promise<number> => (await transport.inspect())[0]!.messages;
  await sendAll();
  await env.until(() => reader.count() === 10_000, "everything had come");
  expect(await kept()).toBeLessThan(4500);
  await env.apply(transport, [absent]);
  const before = await kept();
  await sendAll();
  await env.until(() => reader.count() === 20_000, "everything had come");
  expect(await kept()).toBe(before + 10_000);
  await env.close();
});

test("a chain of sends and handlings that settle at once lets the rest of the process have its turn", async () => {
  const { env } = environment();
  const transport = await env.transport();
  const orders = env.destination();
  const subscription = env.subscription(orders);
  await env.apply(transport, [subscription]);
  const reader = await env.consume(transport, subscription);
  let turns = 0;
  const state = { isOver: false };
  const count = async (): Promise<void> => {
    for (const clock = new VirtualClock(); !state.isOver; turns++) await clock.yield();
  };
  const counting = count();
  for (let at = 0; at < 20_000; at++) await env.send(transport, env.messages(orders, 1));
  state.isOver = true;
  await counting;
  expect(turns).toBeGreaterThan(10);
  expect(reader.count()).toBeGreaterThan(10_000);
  await env.close();
});

test("lanes that are lost without warning are given out anew, and what was out comes again", async () => {
  const { env, world } = environment();
  const { transport, store } = await env.colocated();
  const orders = env.destination("orders.events", 2);
  const subscription = env.subscription(orders);
  await env.apply(transport, [subscription]);
  const reader = await env.hold(transport, subscription);
  await env.send(transport, env.messages(orders, 10));
  await env.until(() => reader.count() === 10, "all had come");
  const stale = [...reader.deliveries];
  world.loseLanes(subscription.service, orders.name);
  await env.until(() => reader.deliveries.length === 20, "all had come again");
  expect(reader.history.filter((event) => event.endsWith("lost"))).toHaveLength(2);
  expect(await codeOf(store.transaction((tx) => void transport.colocated!.settleIn(tx, stale[0]!)))).toBe("PR_LEASE_LOST");
  await env.close();
});

test("a lane lost while a transaction settles one of its deliveries fails the commit", async () => {
  const { env, world } = environment();
  const { transport, store } = await env.colocated();
  const orders = env.destination("orders.events", 1);
  const subscription = env.subscription(orders);
  await env.apply(transport, [subscription]);
  const reader = await env.hold(transport, subscription);
  await env.send(transport, env.messages(orders, 1));
  await env.until(() => reader.count() === 1, "it had come");
  const attempt = store.transaction(async (tx) => {
    await tx.run("create table things (id integer)");
    await transport.colocated!.settleIn(tx, reader.deliveries[0]!);
    world.loseLanes(subscription.service, orders.name);
  });
  expect(await codeOf(attempt)).toBe("PR_LEASE_LOST");
  await expect(store.read.all("select * from things")).rejects.toThrow("no such table");
  await env.close();
});

test("instances from before a crash can do nothing more", async () => {
  const { env, world } = environment();
  const { transport, store } = await env.colocated();
  const orders = env.destination();
  await env.apply(transport, [], [orders]);
  world.crash();
  expect(await codeOf(transport.send([env.message(orders)], { deadlineMs: 1000 }))).toBe("PR_TRANSPORT_CLOSED");
  expect(await codeOf(store.transaction(() => undefined))).toBe("PR_STORE_CLOSED");
  expect(await codeOf(store.starts.countStart("m"))).toBe("PR_STORE_CLOSED");
  expect(await codeOf(store.leases.acquire("l", "o", 1000))).toBe("PR_STORE_CLOSED");
});

test("whoever listens hears of each message once, at its commit", async () => {
  const { env, world } = environment();
  const { transport, store } = await env.colocated();
  const orders = env.destination();
  await env.apply(transport, [], [orders]);
  const heard: string[] = [];
  const stop = world.onStored(({ envelope }) => heard.push(envelope.id));
  const [first, second, third, fourth] = env.messages(orders, 4);
  await env.send(transport, [first!]);
  await store.transaction((tx) => void transport.colocated!.enlist(tx, [second!]));
  await codeOf(
    store.transaction((tx) => {
      void transport.colocated!.enlist(tx, [third!]);
      throw new Error("no");
    }),
  );
  stop();
  await env.send(transport, [fourth!]);
  expect(heard).toEqual([first!.envelope.id, second!.envelope.id]);
  await env.close();
});
