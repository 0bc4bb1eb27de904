import { expect, test } from "vitest";
import { z } from "zod";
import { memoryWorld } from "../adapters/memory/world.ts";
import { fail } from "../base/errors.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { command, event } from "../contracts/contract.ts";
import { bodyIdentity } from "../envelope/foreign-mappings.ts";
import { service } from "../pipeline/service.ts";
import type { Starts } from "../ports/starts.ts";
import type { Store } from "../ports/store.ts";
import type { Colocated } from "../ports/transport.ts";
import { appOf, OrderPlaced, PlaceOrder, readAll } from "./app.test-support.ts";

const order = (orderId: string, total = 1): { orderId: string; total: number } => ({ orderId, total });

test("a subscriber gets only the bodies that its condition fits", async () => {
  const seen: string[] = [];
  const vip = service("vip", (on) => on(OrderPlaced, ({ orderId }) => void seen.push(orderId), { where: { total: { gte: 1_000_000 } } }));
  await using app = await appOf([vip]);
  for (const [orderId, total] of [
    ["small", 5],
    ["large", 2_000_000],
  ] as const)
    await app.bus.as("vip").publish(OrderPlaced, order(orderId, total));
  await app.pass();
  expect([seen, await app.bus.operations.deadLetters()]).toEqual([["large"], []]);
});

test("high priority goes first among what waits", async () => {
  const seen: string[] = [];
  const gates: (() => void)[] = [];
  const slow = service(
    "slow",
    (on) =>
      on(PlaceOrder, async ({ orderId }) => {
        seen.push(orderId);
        if (seen.length === 1) await new Promise<void>((open) => gates.push(open));
      }),
    { concurrency: 1 },
  );
  await using app = await appOf([slow]);
  const shop = app.bus.as("slow");
  await shop.send(PlaceOrder, order("first"));
  await app.pass();
  for (const orderId of ["a", "b", "c"]) await shop.send(PlaceOrder, order(orderId));
  await shop.send(PlaceOrder, order("urgent"), { priority: "high" });
  await app.pass();
  gates.forEach((open) => open());
  await app.pass();
  expect(seen).toEqual(["first", "urgent", "a", "b", "c"]);
});

test("a message that expired before its turn is listed apart and never runs", async () => {
  const seen: string[] = [];
  const gates: (() => void)[] = [];
  const ordering = service("ordering", (on) => on(PlaceOrder, ({ orderId }) => void seen.push(orderId)));
  await using app = await appOf([ordering], { run: [] });
  await app.pass();
  await using sender = await appOf([ordering, service("sender", () => undefined)], { world: app.world, clock: app.clock, run: ["sender"] });
  await sender.bus.as("sender").send(PlaceOrder, order("stale"), { expiresAfterMs: 1000 });
  await sender.bus.as("sender").send(PlaceOrder, order("fresh"));
  await app.pass(2000);
  await using late = await appOf([ordering], { world: app.world, clock: app.clock });
  await late.pass();
  gates.forEach((open) => open());
  const letters = await late.bus.operations.deadLetters();
  expect([seen, letters.map(({ list, code }) => [list, code])]).toEqual([["fresh"], [["expired", "PR_EXPIRED"]]]);
});

test("a command that its service does not handle is unhandled, not failed", async () => {
  const Old = command("order.old", { schema: z.object({ orderId: z.string() }) });
  const ordering = service("ordering", (on) => on(PlaceOrder, () => undefined));
  await using app = await appOf([ordering], { external: [Old] });
  await app.bus.as("ordering").send(Old, { orderId: "o-1" });
  await app.pass();
  expect((await app.bus.operations.deadLetters()).map(({ list, code, body }) => [list, code, body])).toEqual([
    ["unhandled", "PR_UNHANDLED", '{"orderId":"o-1"}'],
  ]);
});

test("a new version is read as it is by who knows it, and as the older one by who knows only that; nobody runs twice", async () => {
  const schema1 = z.object({ memberId: z.string(), name: z.string() });
  const schema2 = z.object({ memberId: z.string(), firstName: z.string(), lastName: z.string() });
  const V1 = event("member.updated", { version: 1, schema: schema1 });
  const V2 = event("member.updated", {
    version: 2,
    schema: schema2,
    alsoAs: { 1: ({ memberId, firstName, lastName }) => ({ memberId, name: `${lastName} ${firstName}` }) },
  });
  const seen: string[] = [];
  const old = service("old", (on) => on(V1, ({ name }) => void seen.push(`old: ${name}`)));
  const fresh = service("fresh", (on) => on(V2, ({ firstName }) => void seen.push(`fresh: ${firstName}`)));
  const both = service("both", (on) => {
    on(V1, ({ name }) => void seen.push(`both: ${name}`));
    on(V2, ({ firstName }) => void seen.push(`both: ${firstName}`));
  });
  await using app = await appOf([old, fresh, both]);
  await app.bus.as("old").publish(V2, { memberId: "m-1", firstName: "길동", lastName: "홍" });
  await app.pass();
  expect([
    seen.filter((line) => line.startsWith("both")).length,
    seen.filter((line) => !line.startsWith("both")).toSorted(),
    await app.bus.operations.deadLetters(),
  ]).toEqual([1, ["fresh: 길동", "old: 홍 길동"], []]);
});

test("an unknown version is given up at once and kept; older ones are upcast", async () => {
  const seen: unknown[] = [];
  const V1 = event("price.set", { version: 1, schema: z.object({ sku: z.string(), won: z.number() }) });
  const V2 = event("price.set", {
    version: 2,
    schema: z.object({ sku: z.string(), amount: z.number() }),
    upcast: { 1: (body) => ({ sku: (body as { sku: string }).sku, amount: (body as { won: number }).won }) },
  });
  const V3 = event("price.set", { version: 3, schema: z.object({ sku: z.string() }) });
  const pricing = service("pricing", (on) => on(V2, (body) => void seen.push(body)));
  await using app = await appOf([pricing]);
  await app.bus.as("pricing").publish(V1, { sku: "a", won: 5 });
  await app.bus.as("pricing").publish(V3, { sku: "b" });
  await app.pass();
  expect([seen, (await app.bus.operations.deadLetters()).map(({ code, list }) => [code, list])]).toEqual([
    [{ sku: "a", amount: 5 }],
    [["PR_VERSION_UNKNOWN", "failed"]],
  ]);
});

test("a foreign message with its identity in the body is handled once, known by its own id", async () => {
  const seen: string[] = [];
  const Legacy = event("legacy.created", { schema: z.object({ orderId: z.string() }) });
  const reading = service("reading", (on) => on(Legacy, ({ orderId }, { message }) => void seen.push(`${orderId} ${message.id}`)), {
    foreign: { "legacy.events": bodyIdentity() },
  });
  await using app = await appOf([reading]);
  const body = JSON.stringify({
    event_id: "e-1",
    event_type: "legacy.created",
    occurred_at: "2026-01-01T00:00:00Z",
    payload: { orderId: "o-9" },
  });
  app.world.plant("legacy.events", { body });
  app.world.plant("legacy.events", { body });
  app.world.plant("legacy.events", { body: "garbage" });
  await app.pass();
  expect([seen, (await app.bus.operations.deadLetters()).map((letter) => letter.body)]).toEqual([["o-9 e-1"], ["garbage"]]);
});

test.each(["headers", "body"] as const)("messages with their identity in plain %s are read by our own services too", async (identity) => {
  const seen: unknown[] = [];
  const reading = service("reading", (on) => on(OrderPlaced, (body, { message }) => void seen.push(body, message.headers["event-type"])));
  await using app = await appOf([reading], { plain: { "order.events": { identity } } });
  await app.bus.as("reading").publish(OrderPlaced, order("o-1"));
  await app.pass();
  const [written] = await readAll(app.world, "order.events");
  const parsed = JSON.parse(written!.body as string) as Record<string, unknown>;
  expect(seen).toEqual([order("o-1"), identity === "headers" ? "order.placed" : undefined]);
  const around = { event_type: "order.placed", event_id: written!.envelope!.id, payload: order("o-1") };
  expect(parsed).toMatchObject(identity === "body" ? around : order("o-1"));
});

test("a schema that answers later keeps the order of its lane", async () => {
  const slowly = z.object({ orderId: z.string(), total: z.number() }).refine(async ({ total }) => {
    for (let turn = 0; turn < 10 - total; turn++) await Promise.resolve();
    return true;
  });
  const Slow = event("slow.event", { schema: slowly, key: (body) => body.orderId });
  const seen: number[] = [];
  const reading = service("reading", (on) => on(Slow, ({ total }) => void seen.push(total)));
  await using app = await appOf([reading]);
  for (const total of [1, 2, 3, 4, 5]) await app.bus.as("reading").publish(Slow, order("o-1", total));
  await app.pass();
  expect(seen).toEqual([1, 2, 3, 4, 5]);
});

test("how far a handler has come can be read while it runs", async () => {
  const gates: (() => void)[] = [];
  const shipping = service("shipping", (on) =>
    on(PlaceOrder, async (_, { progress }) => {
      progress(10, "packing");
      await new Promise<void>((open) => gates.push(open));
      progress(100);
    }),
  );
  await using app = await appOf([shipping]);
  const { id } = await app.bus.as("shipping").send(PlaceOrder, order("o-1"));
  await app.pass();
  expect(await app.bus.as("shipping").progressOf(id)).toMatchObject({ percent: 10, note: "packing" });
  gates.forEach((open) => open());
  await app.pass();
  expect(await app.bus.as("shipping").progressOf(id)).toMatchObject({ percent: 100 });
});

test.for([
  ["is still being written", 0],
  ["cannot be written at first", 3],
] as const)("a later batch of a lane does not overtake an earlier one whose mark %s", async ([, failures]) => {
  let left: number = failures;
  const clock = new VirtualClock();
  const world = memoryWorld({ clock });
  const transport = world.transport();
  let open = (): void => undefined;
  const isOpen = new Promise<void>((resolve) => (open = resolve));
  const slowMarks = (name: string): Store => {
    const store = world.store(name);
    const starts: Starts = {
      taken: (destination, lane) => store.starts.taken(destination, lane),
      markTaken: async (marks) => {
        await isOpen;
        if (left-- > 0) throw fail("PR_STORE_FAILED", { store: "far", during: "a mark", detail: "connection refused" });
        await store.starts.markTaken(marks);
      },
      countStart: (id) => store.starts.countStart(id),
      forget: (ids) => store.starts.forget(ids),
    };
    // Its methods go to the store itself, whose fields are private to it.
    return new Proxy(store, {
      get: (target, part) => {
        if (part === "starts") return starts;
        const value: unknown = Reflect.get(target, part, target);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
  };
  const colocated: Colocated = {
    shares: () => true, // the store behind the slow marks is the transport's own
    enlist: (transaction, batch) => transport.colocated!.enlist(transaction, batch),
    settleIn: (transaction, delivery) => transport.colocated!.settleIn(transaction, delivery),
  };
  const carrier = new Proxy(transport, {
    get: (target, part) => {
      if (part === "colocated") return colocated;
      const value: unknown = Reflect.get(target, part, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  const seen: number[] = [];
  const reading = service("reading", (on) => on(OrderPlaced, ({ total }) => void seen.push(total)));
  await using app = await appOf([reading], { clock, world, commands: carrier, events: carrier, store: slowMarks, lanes: 1 });
  const batches = [1, 300, 1]; // the first two need a mark each, the third is covered by the second's
  let total = 0;
  for (const size of batches) {
    await Promise.all(Array.from({ length: size }, () => app.bus.as("reading").publish(OrderPlaced, order("o-1", ++total))));
    await app.pass();
  }
  open();
  await app.pass(20_000);
  expect(seen).toEqual(Array.from({ length: total }, (_, at) => at + 1));
});
