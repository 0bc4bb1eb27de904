import { expect, test } from "vitest";
import { VirtualClock } from "../base/virtual-clock.ts";
import { memoryWorld } from "../adapters/memory/world.ts";
import { command } from "../contracts/contract.ts";
import { service } from "../pipeline/service.ts";
import type { Recurrence } from "../ports/schedule.ts";
import { createBus } from "./bus.ts";
import { appOf, Order, OrderMoved, OrderPlaced, PlaceOrder } from "./app.test-support.ts";

const order = (orderId: string, total = 1): { orderId: string; total: number } => ({ orderId, total });

test("what is scheduled leaves when it is due and not before; it can be moved and taken back", async () => {
  const seen: string[] = [];
  await using app = await appOf([service("ordering", (on) => on(PlaceOrder, ({ orderId }) => void seen.push(orderId)))]);
  const shop = app.bus.as("ordering");
  await shop.schedule(PlaceOrder, order("kept"), { delayMs: 10_000 }, { id: "kept" });
  await shop.schedule(PlaceOrder, order("moved"), { delayMs: 10_000 }, { id: "moved" });
  await shop.schedule(PlaceOrder, order("cancelled"), { delayMs: 10_000 }, { id: "cancelled" });
  expect(await shop.cancelScheduled("cancelled")).toBe(true);
  await shop.reschedule("moved", { delayMs: 60_000 });
  await app.pass(9_990);
  expect(seen).toEqual([]);
  await app.pass(100);
  expect(seen).toEqual(["kept"]);
  await app.pass(60_000);
  expect([seen, await shop.cancelScheduled("kept")]).toEqual([["kept", "moved"], false]);
  await expect(shop.reschedule("kept", { delayMs: 1 })).rejects.toMatchObject({ code: "PR_SCHEDULE_UNKNOWN" });
});

test("what recurs is sent once per slot", async () => {
  const seen: string[] = [];
  await using app = await appOf([service("ordering", (on) => on(PlaceOrder, (_, { message }) => void seen.push(message.id)))]);
  await app.bus.as("ordering").recur("nightly", PlaceOrder, order("nightly"), { cron: "*/10 * * * *", timezone: "Asia/Seoul" });
  await app.pass(60 * 60_000 + 2000);
  expect([seen.length, new Set(seen).size]).toEqual([6, 6]);
});

test("a recurrence without time zone, as JavaScript may write it, is refused instead of coming once", async () => {
  await using app = await appOf([service("ordering", (on) => on(PlaceOrder, () => undefined))]);
  const recurring = app.bus.as("ordering").recur("nightly", PlaceOrder, order("nightly"), { cron: "0 3 * * *" } as Recurrence);
  await expect(recurring).rejects.toThrow(/"undefined" is no IANA time zone, such as Asia\/Seoul/);
  expect(await app.bus.operations.scheduled()).toEqual([]);
});

test("a handler's schedule leaves with its commit, or not at all", async () => {
  const seen: string[] = [];
  let runs = 0;
  const ordering = service("ordering", (on) => {
    on(PlaceOrder, (body, { schedule }) => {
      schedule(OrderPlaced, body, { delayMs: 1000 });
      if (++runs === 1) throw new Error("again");
    });
    on(OrderPlaced, ({ orderId }) => void seen.push(orderId));
  });
  await using app = await appOf([ordering]);
  await app.bus.as("ordering").send(PlaceOrder, order("o-1"));
  await app.pass(5000);
  expect([runs, seen]).toEqual([2, ["o-1"]]);
});

test("a stop lets running handlers end and gives back what has not begun; a start goes on with it", async () => {
  const clock = new VirtualClock();
  const world = memoryWorld({ clock });
  const ended: string[] = [];
  const gates: (() => void)[] = [];
  const slow = service(
    "slow",
    (on) =>
      on(PlaceOrder, async ({ orderId }) => {
        await new Promise<void>((open) => gates.push(open));
        ended.push(orderId);
      }),
    { concurrency: 2 },
  );
  const first = await appOf([slow], { clock, world });
  for (const orderId of ["a", "b", "c", "d"]) await first.bus.as("slow").send(PlaceOrder, order(orderId));
  await first.pass();
  const stopped = first.bus.stop();
  await clock.advance(100);
  gates.splice(0).forEach((open) => open());
  await clock.advance(100);
  await stopped;
  expect(ended).toEqual(["a", "b"]);
  await expect(first.bus.as("slow").send(PlaceOrder, order("late"))).rejects.toMatchObject({ code: "PR_SHUTDOWN" });
  await using second = await appOf([slow], { clock, world });
  await second.pass();
  gates.splice(0).forEach((open) => open());
  await second.pass();
  expect([ended, await second.bus.operations.deadLetters()]).toEqual([["a", "b", "c", "d"], []]);
});

test("what outlives the drain is aborted, counts as no failure and runs again after the next start", async () => {
  const clock = new VirtualClock();
  const world = memoryWorld({ clock });
  const attempts: number[] = [];
  let reason: unknown;
  const stuck = service("stuck", (on) =>
    on(PlaceOrder, async (_, { message, signal }) => {
      attempts.push(message.attempt);
      if (attempts.length > 1) return;
      await new Promise((_resolve, reject) =>
        signal.addEventListener("abort", () => {
          reason = (signal.reason as { code: string }).code;
          reject(signal.reason as Error);
        }),
      );
    }),
  );
  const first = await appOf([stuck], { clock, world, drainMs: 1000 });
  await first.bus.as("stuck").send(PlaceOrder, order("a"));
  await first.pass();
  await first[Symbol.asyncDispose]();
  await using second = await appOf([stuck], { clock, world });
  await second.pass();
  expect([attempts, reason]).toEqual([[1, 1], "PR_SHUTDOWN"]);
});

test("a message that ends its process each time is found out; its neighbours complete", async () => {
  const clock = new VirtualClock();
  const world = memoryWorld({ clock });
  const handled = new Set<string>();
  const life = { starts: 0, isOver: false };
  const sender = service("sender", () => undefined);
  const fragile = service(
    "fragile",
    (on) =>
      on(PlaceOrder, ({ orderId }) => {
        if (orderId !== "poison") return void handled.add(orderId);
        life.starts++;
        life.isOver = true;
        world.crash();
        return new Promise(() => undefined); // its process is gone: nothing after this
      }),
    { timeoutMs: 0 },
  );
  await using before = await appOf([sender, fragile], { clock, world, run: ["sender"] });
  for (let n = 0; n < 20; n++) await before.bus.as("sender").send(PlaceOrder, order(n === 7 ? "poison" : `o-${n}`));
  let codes: string[] = [];
  for (life.isOver = true; life.isOver;) {
    life.isOver = false;
    const app = await appOf([sender, fragile], { clock, world, run: ["fragile"] });
    await app.pass(10_000);
    if (!life.isOver) codes = (await app.bus.operations.deadLetters()).map(({ code }) => code);
  }
  expect([codes, life.starts, handled.size]).toEqual([["PR_POISON"], 4, 19]);
});

test("a suspect that waits for its lone turn does not start once the bus is stopping", async () => {
  const clock = new VirtualClock();
  const world = memoryWorld({ clock });
  let started: string[] = [];
  const sender = service("sender", () => undefined);
  const fragile = service("fragile", (on) => on(PlaceOrder, ({ orderId }) => new Promise((_resolve) => void started.push(orderId))), {
    timeoutMs: 0,
  });
  await using before = await appOf([sender, fragile], { clock, world, run: ["sender"] });
  for (const orderId of ["a", "b", "c"]) await before.bus.as("sender").send(PlaceOrder, order(orderId));
  for (let crash = 0; crash < 2; crash++) {
    const app = await appOf([sender, fragile], { clock, world, run: ["fragile"] });
    await app.pass();
    world.crash();
  }
  started = [];
  const last = await appOf([sender, fragile], { clock, world, run: ["fragile"], drainMs: 100 });
  await last.pass();
  expect(started.length).toBe(1);
  await last[Symbol.asyncDispose]();
  expect(started.length).toBe(1);
});

test("where the broker is not the store's database, messages go by the outbox and are remembered in the inbox", async () => {
  const clock = new VirtualClock();
  const broker = memoryWorld({ clock });
  const database = memoryWorld({ clock });
  const seen: string[] = [];
  let runs = 0;
  const ordering = service("ordering", (on) => {
    on(PlaceOrder, async (body, { tx, publish }) => {
      await tx.run("create table if not exists orders (id text primary key)");
      await tx.run("insert into orders values (?)", body.orderId);
      publish(OrderPlaced, body);
      if (++runs === 1) throw new Error("again");
    });
    on(OrderPlaced, ({ orderId }) => void seen.push(orderId));
  });
  const transport = broker.transport();
  await using app = await appOf([ordering], { clock, commands: transport, events: transport, store: (name) => database.store(name) });
  const shop = app.bus.as("ordering");
  await shop.send(PlaceOrder, order("a"));
  await shop.transaction(async ({ send, tx }) => {
    await tx.run("create table if not exists notes (text text)");
    send(PlaceOrder, order("b"));
  });
  await app.pass(5000);
  expect([
    seen.toSorted(),
    await shop.read.all("select id from orders order by id"),
    await database.store("ordering").inbox.count(),
  ]).toEqual([["a", "b"], [{ id: "a" }, { id: "b" }], 4]);
});

test("a transaction that throws leaves neither rows nor messages", async () => {
  const seen: string[] = [];
  await using app = await appOf([service("ordering", (on) => on(PlaceOrder, ({ orderId }) => void seen.push(orderId)))]);
  const shop = app.bus.as("ordering");
  const failed = shop.transaction(async ({ tx, send }) => {
    await tx.run("create table notes (text text)");
    send(PlaceOrder, order("a"));
    throw new Error("no");
  });
  await expect(failed).rejects.toThrow("no");
  await app.pass();
  expect(seen).toEqual([]);
  await expect(shop.read.all("select * from notes")).rejects.toThrow("notes");
});

test("health turns red while a backlog makes no progress, and says so once", async () => {
  let open: (() => void) | undefined;
  const stuck = service("stuck", (on) => on(PlaceOrder, () => new Promise<void>((resolve) => (open = resolve))), {
    concurrency: 1,
    timeoutMs: 0,
  });
  await using app = await appOf([stuck], { stuckAfterMs: 10_000, drainMs: 10 });
  expect((await app.bus.health()).isReady).toBe(true);
  await app.bus.as("stuck").send(PlaceOrder, order("a"));
  await app.bus.as("stuck").send(PlaceOrder, order("b"));
  await app.pass(30_000);
  const health = await app.bus.health();
  expect([health.isReady, health.subscriptions[0]?.state, app.alerts.map(({ kind }) => kind)]).toEqual([false, "stuck", ["stuck"]]);
  open!();
  await app.pass(5000);
  expect([(await app.bus.health()).isReady, app.alerts.map(({ kind }) => kind)]).toEqual([true, ["stuck", "stuckOver"]]);
});

test("health is red and says why when a subscription cannot be looked at", async () => {
  const world = memoryWorld({});
  const transport = world.transport();
  const consume = transport.consume.bind(transport);
  transport.consume = async (subscription, sink) =>
    Object.assign(await consume(subscription, sink), { inspect: () => Promise.reject(new Error("the disk is gone")) });
  await using app = await appOf([service("ordering", (on) => on(PlaceOrder, () => undefined))], { world, commands: transport });
  expect(await app.bus.health()).toMatchObject({ isReady: false, state: "running", reason: "the disk is gone" });
});

test("every mistake in the options is named at once, and owners are checked", () => {
  const { commands, events, store } = { ...infrastructure() };
  const mistaken = (): unknown =>
    createBus({ services: [service("a", () => undefined), service("a", () => undefined)], run: ["b"], lanes: 0, commands, events, store });
  expect(mistaken).toThrow(/two services are named a.*run names b.*lanes must be/s);
  const twice = (): unknown =>
    createBus({ services: ["a", "b"].map((name) => service(name, (on) => on(PlaceOrder, () => undefined))), commands, events, store });
  expect(twice).toThrow(expect.objectContaining({ code: "PR_OWNER_TWICE" }) as Error);
});

test("a command that nobody owns is refused where it is sent", async () => {
  await using app = await appOf([service("ordering", (on) => on(OrderMoved, () => undefined))]);
  const orphan = command("stock.reserve", { schema: Order });
  await expect(app.bus.as("ordering").send(orphan, order("a"))).rejects.toMatchObject({ code: "PR_OWNER_MISSING" });
});

function infrastructure(): {
  commands: ReturnType<ReturnType<typeof memoryWorld>["transport"]>;
  events: ReturnType<ReturnType<typeof memoryWorld>["transport"]>;
  store: ReturnType<typeof memoryWorld>["store"];
} {
  const world = memoryWorld();
  const transport = world.transport();
  return { commands: transport, events: transport, store: (name) => world.store(name) };
}

test("a stop that comes while the bus starts waits for the step under way, and the start says so", async () => {
  const world = memoryWorld({});
  const transport = world.transport();
  const ordering = service("ordering", (on) => on(PlaceOrder, () => undefined));
  const bus = createBus({ services: [ordering], commands: transport, events: transport, store: (name) => world.store(name) });
  const starting = bus.start().then(
    () => "started",
    (error: unknown) => (error as { code?: unknown }).code,
  );
  await bus.stop();
  expect(await starting).toBe("PR_SHUTDOWN");
  expect((await bus.health()).state).toBe("stopped");
});
