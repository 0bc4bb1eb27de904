import { expect, test } from "vitest";
import { memoryWorld } from "../adapters/memory/world.ts";
import { fail } from "../base/errors.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { event } from "../contracts/contract.ts";
import { service } from "../pipeline/service.ts";
import { appOf, OrderMoved, OrderPlaced, PlaceOrder } from "./app.test-support.ts";

const order = (orderId: string, total = 1): { orderId: string; total: number } => ({ orderId, total });
const failing = (times: number, runs: { n: number }) => (): void => {
  if (++runs.n <= times) throw Object.assign(new Error("the disk said no 17 times"), { code: "disk.no" });
};

test("a failure is retried at once, then from the schedule, then becomes a dead letter with its cause", async () => {
  const runs = { n: 0 };
  await using app = await appOf([service("ordering", (on) => on(PlaceOrder, failing(Infinity, runs)))]);
  await app.bus.as("ordering").send(PlaceOrder, order("o-1"));
  await app.pass();
  expect(runs.n).toBe(2);
  await app.pass(120_000);
  const [letter] = await app.bus.operations.deadLetters();
  expect([runs.n, letter?.list, letter?.code, letter?.attempts, letter?.contract]).toEqual([6, "failed", "disk.no", 6, "order.place"]);
  expect(app.alerts.map(({ kind, code }) => [kind, code])).toEqual([["deadLetter", "disk.no"]]);
});

test("a transaction that lost to another runs again soon and counts as no failure, unless it loses again and again", async () => {
  const runs = { n: 0 };
  const losing = (times: number) => (): void => {
    if (++runs.n <= times) throw fail("PR_STORE_CONFLICT", { store: "postgres", during: "the commit", detail: "deadlock detected" });
  };
  const never = { retry: { immediate: 0, delayed: 0 } };
  await using app = await appOf([service("ordering", (on) => on(PlaceOrder, losing(10)), never)]);
  await app.bus.as("ordering").send(PlaceOrder, order("o-1"));
  await app.pass(10_000);
  expect([runs.n, await app.bus.operations.deadLetters()]).toEqual([11, []]);
  runs.n = -1;
  await app.bus.as("ordering").send(PlaceOrder, order("o-2"));
  await app.pass(10_000);
  const [letter] = await app.bus.operations.deadLetters();
  expect([runs.n, letter?.code, letter?.attempts]).toEqual([10, "PR_STORE_CONFLICT", 1]);
});

test("whatever is thrown is a failure like any other, also what cannot be looked at", async () => {
  const strange: readonly (() => unknown)[] = [
    () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    },
    () => {
      const { proxy, revoke } = Proxy.revocable(() => undefined, {});
      revoke();
      return proxy;
    },
    () => Object.defineProperty(new Error("its code throws"), "code", { get: () => failing(1, { n: 0 })() }),
    () => Object.defineProperty(new Error("its stack throws"), "stack", { get: () => failing(1, { n: 0 })() }),
    () => undefined,
  ];
  let runs = 0;
  const ordering = service(
    "ordering",
    (on) =>
      on(PlaceOrder, async ({ total }, { tx }) => {
        await tx.run("select 1");
        runs++;
        throw strange[total]!();
      }),
    { retry: { immediate: 0, delayed: 0 } },
  );
  await using app = await appOf([ordering]);
  for (const total of strange.keys()) await app.bus.as("ordering").send(PlaceOrder, order("o-1", total));
  await app.pass(10_000);
  expect([runs, (await app.bus.operations.deadLetters()).map(({ list }) => list)]).toEqual([strange.length, strange.map(() => "failed")]);
});

test("a redriven letter starts anew and is not swallowed by the inbox; a second redrive does nothing", async () => {
  const runs = { n: 0 };
  await using app = await appOf([service("ordering", (on) => on(PlaceOrder, failing(1, runs)), { retry: { immediate: 0, delayed: 0 } })]);
  await app.bus.as("ordering").send(PlaceOrder, order("o-1"), { id: "mine" });
  await app.pass();
  const [letter] = await app.bus.operations.deadLetters();
  await app.bus.operations.redrive(letter!.id);
  await app.bus.operations.redrive(letter!.id);
  await app.pass(3000);
  expect([runs.n, await app.bus.operations.deadLetters()]).toEqual([2, []]);
});

test("an edited copy has a new id and the same root, and its finished effects stay", async () => {
  const ids: [string, string, number][] = [];
  let effects = 0;
  const ordering = service(
    "ordering",
    (on) =>
      on(PlaceOrder, async (body, { message, once }) => {
        await once("effect", async () => ++effects);
        ids.push([message.id, message.rootId, body.total]);
        if (body.total < 0) throw new Error("negative");
      }),
    { retry: { immediate: 0, delayed: 0 } },
  );
  await using app = await appOf([ordering]);
  const { id } = await app.bus.as("ordering").send(PlaceOrder, order("o-1", -1));
  await app.pass();
  const [letter] = await app.bus.operations.deadLetters();
  const copy = await app.bus.operations.edit(letter!.id, order("o-1", 5));
  await app.pass(3000);
  expect([ids, effects]).toEqual([
    [
      [id, id, -1],
      [copy.id, id, 5],
    ],
    1,
  ]);
});

test("behind a failed message of an ordered contract the later ones of its key are parked, in order; other keys flow", async () => {
  const seen: string[] = [];
  let isMended = false;
  const watching = service(
    "watching",
    (on) =>
      on(OrderMoved, ({ orderId, step }) => {
        if (orderId === "a" && step === 1 && !isMended) throw new Error("not yet");
        seen.push(`${orderId}${step}`);
      }),
    { retry: { immediate: 0, delayed: 0 } },
  );
  await using app = await appOf([watching]);
  const shop = app.bus.as("watching");
  for (const step of [1, 2, 3]) for (const orderId of ["a", "b"]) await shop.publish(OrderMoved, { orderId, step });
  await app.pass(3000);
  expect(seen).toEqual(["b1", "b2", "b3"]);
  isMended = true;
  const [letter] = await app.bus.operations.deadLetters();
  await app.bus.operations.redrive(letter!.id);
  await app.pass(5000);
  await shop.publish(OrderMoved, { orderId: "a", step: 4 });
  await app.pass();
  expect(seen.slice(3)).toEqual(["a1", "a2", "a3", "a4"]);
});

test("while an ordered message waits for its retry its key waits too, and goes on in order", async () => {
  const seen: number[] = [];
  let failures = 0;
  const watching = service(
    "watching",
    (on) =>
      on(OrderMoved, ({ step }) => {
        if (step === 1 && ++failures < 3) throw new Error("not yet");
        seen.push(step);
      }),
    { retry: { immediate: 0, delayed: 5 } },
  );
  await using app = await appOf([watching]);
  for (const step of [1, 2, 3]) await app.bus.as("watching").publish(OrderMoved, { orderId: "a", step });
  await app.pass(20_000);
  expect([seen, await app.bus.operations.held()]).toEqual([[1, 2, 3], []]);
});

test("purging the dead head of a key lets the parked ones go on", async () => {
  const seen: number[] = [];
  const watching = service(
    "watching",
    (on) =>
      on(OrderMoved, ({ step }) => {
        if (step === 1) throw new Error("never");
        seen.push(step);
      }),
    { retry: { immediate: 0, delayed: 0 } },
  );
  await using app = await appOf([watching]);
  for (const step of [1, 2, 3]) await app.bus.as("watching").publish(OrderMoved, { orderId: "a", step });
  await app.pass(3000);
  expect(await app.bus.operations.purge({})).toBe(1);
  await app.pass(5000);
  expect(seen).toEqual([2, 3]);
});

test("what was parked goes on, in order, when the contract is no longer ordered or has another key by then", async () => {
  const changes = { unordered: { ordered: false }, otherKey: { key: ({ orderId }: { orderId: string }) => `order ${orderId}` } };
  for (const change of Object.values(changes)) {
    const clock = new VirtualClock();
    const world = memoryWorld({ clock });
    const seen: number[] = [];
    const failingAlways = service("watching", (on) => on(OrderMoved, failing(Infinity, { n: 0 })));
    await using before = await appOf([failingAlways], { clock, world });
    for (const step of [1, 2, 3]) await before.bus.as("watching").publish(OrderMoved, { orderId: "a", step });
    await before.pass(500);
    expect(await before.bus.operations.held()).toHaveLength(3);
    await before[Symbol.asyncDispose]();
    const Moved = event("order.moved", { schema: OrderMoved.schema, key: OrderMoved.key!, ordered: true, ...change });
    await using after = await appOf([service("watching", (on) => on(Moved, ({ step }) => void seen.push(step)))], { clock, world });
    await after.pass(5000);
    expect([seen, await after.bus.operations.held()]).toEqual([[1, 2, 3], []]);
    await after.bus.as("watching").publish(Moved, { orderId: "a", step: 4 });
    await after.pass(500);
    expect(seen).toEqual([1, 2, 3, 4]);
  }
});

test("expired, unhandled and unreadable messages each go to their list, byte for byte, and their neighbours flow on", async () => {
  const seen: string[] = [];
  const ordering = service("ordering", (on) => on(PlaceOrder, ({ orderId }) => void seen.push(orderId)), { concurrency: 1 });
  await using app = await appOf([ordering]);
  const bytes = new Uint8Array([0xff, 0x00, 0xfe]);
  app.world.plant("order.commands", { body: bytes });
  app.world.plant("order.commands", { body: "no envelope" });
  await app.bus.as("ordering").send(PlaceOrder, order("o-1"));
  await app.pass();
  const letters = await app.bus.operations.deadLetters();
  expect([seen, letters.map(({ code }) => code), letters.map(({ body }) => body)]).toEqual([
    ["o-1"],
    ["PR_ENVELOPE_UNREADABLE", "PR_ENVELOPE_UNREADABLE"],
    ["no envelope", bytes],
  ]);
});

test("a handler that runs too long is interrupted and counted as failed; its late writes are refused", async () => {
  let signal: AbortSignal | undefined;
  const late: string[] = [];
  let open: (() => void) | undefined;
  const slow = service(
    "slow",
    (on) =>
      on(PlaceOrder, async (_, context) => {
        signal = context.signal;
        await new Promise<void>((resolve) => (open = resolve));
        await context.tx.run("select 1").catch((error: { code: string }) => late.push(error.code));
      }),
    { retry: { immediate: 0, delayed: 0 }, timeoutMs: 1000 },
  );
  await using app = await appOf([slow]);
  await app.bus.as("slow").send(PlaceOrder, order("o-1"));
  await app.pass(1500);
  const [letter] = await app.bus.operations.deadLetters();
  open!();
  await app.pass();
  expect([letter?.code, signal?.aborted, late]).toEqual(["PR_HANDLER_TIMEOUT", true, ["PR_CONTEXT_SEALED"]]);
});

test("when everything fails the service probes one at a time, and burns no attempts of the others", async () => {
  let isAway = true;
  const runs = new Map<string, number>();
  const calling = service(
    "calling",
    (on) =>
      on(OrderPlaced, ({ orderId }) => {
        runs.set(orderId, (runs.get(orderId) ?? 0) + 1);
        if (isAway) throw Object.assign(new Error("connection refused"), { code: "ECONNREFUSED" });
      }),
    { retry: { immediate: 0, delayed: 8, backoff: { firstMs: 1000, factor: 1, maxMs: 1000, jitter: 0 } }, outageAfter: 5, concurrency: 5 },
  );
  await using app = await appOf([calling]);
  for (let n = 0; n < 50; n++) await app.bus.as("calling").publish(OrderPlaced, order(`o-${n}`));
  await app.pass(10_000);
  const during = [...runs.values()].reduce((sum, count) => sum + count, 0);
  expect(during).toBeLessThan(15);
  expect(app.alerts.map(({ kind }) => kind)).toContain("outage");
  expect((await app.bus.health()).subscriptions[0]?.state).toBe("outage");
  isAway = false;
  await app.pass(60_000);
  expect([runs.size, await app.bus.operations.deadLetters(), await app.bus.operations.held()]).toEqual([50, [], []]);
  expect(app.alerts.map(({ kind }) => kind)).toContain("outageOver");
});

test("when too many are parked behind a key its lane pauses, loses none, and goes on when the key is free", async () => {
  const seen: number[] = [];
  let isMended = false;
  const watching = service(
    "watching",
    (on) =>
      on(OrderMoved, ({ step }) => {
        if (step === 0 && !isMended) throw new Error("not yet");
        seen.push(step);
      }),
    { retry: { immediate: 0, delayed: 0 }, maxParkedPerKey: 3 },
  );
  await using app = await appOf([watching]);
  for (let step = 0; step < 10; step++) await app.bus.as("watching").publish(OrderMoved, { orderId: "a", step });
  await app.pass(3000);
  expect([app.alerts.map(({ kind }) => kind), (await app.bus.health()).subscriptions[0]?.state]).toEqual([
    ["deadLetter", "lanePaused"],
    "paused",
  ]);
  isMended = true;
  await app.bus.operations.redrive((await app.bus.operations.deadLetters())[0]!.id);
  await app.pass(10_000);
  expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
