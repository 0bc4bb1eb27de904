import { expect, test } from "vitest";
import { VirtualClock } from "../base/virtual-clock.ts";
import { memoryWorld } from "../adapters/memory/world.ts";
import { service } from "../pipeline/service.ts";
import { appOf, OrderMoved, OrderPlaced, PlaceOrder, readAll } from "./app.test-support.ts";

const order = { orderId: "o-1", total: 1 };

test("without a store a message is retried in place, and what it sends leaves after its handler", async () => {
  const seen: string[] = [];
  let runs = 0;
  const ordering = service("ordering", (on) => {
    on(PlaceOrder, (body, { publish }) => {
      publish(OrderPlaced, body);
      if (++runs < 4) throw new Error("again");
    });
    on(OrderPlaced, ({ orderId }) => void seen.push(orderId));
  });
  await using app = await appOf([ordering], { store: "none" });
  await app.bus.as("ordering").send(PlaceOrder, order);
  await app.pass(60_000);
  expect([runs, seen]).toEqual([4, ["o-1"]]);
});

test("without a store what is given up goes to the broker, byte for byte, with its cause", async () => {
  const clock = new VirtualClock();
  const world = memoryWorld({ clock });
  const ordering = service(
    "ordering",
    (on) =>
      on(PlaceOrder, () => {
        throw Object.assign(new Error("no"), { code: "no.way" });
      }),
    { retry: { immediate: 0, delayed: 0 } },
  );
  await using app = await appOf([ordering], { clock, world, store: "none" });
  world.plant("order.commands", { body: new Uint8Array([255, 0]) });
  await app.bus.as("ordering").send(PlaceOrder, order);
  await app.pass();
  const letters = await readAll(world, "ordering.dead-letters");
  const byCode = new Map(letters.map(({ body, headers }) => [headers["postrider-failure-code"], body]));
  expect(byCode).toEqual(
    new Map<unknown, unknown>([
      ["no.way", JSON.stringify(order)],
      ["PR_ENVELOPE_UNREADABLE", new Uint8Array([255, 0])],
    ]),
  );
});

test("without a store what needs one is refused by name: ordered contracts at start, once and tx where they are used", async () => {
  await expect(appOf([service("watching", (on) => on(OrderMoved, () => undefined))], { store: "none" })).rejects.toMatchObject({
    code: "PR_STORE_NEEDED",
  });
  const codes: string[] = [];
  const ordering = service("ordering", (on) =>
    on(PlaceOrder, async (_, { once, tx }) => {
      await once("x", async () => 1).catch((error: { code: string }) => codes.push(error.code));
      await tx.run("select 1").catch((error: { code: string }) => codes.push(error.code));
    }),
  );
  await using app = await appOf([ordering], { store: "none" });
  await app.bus.as("ordering").send(PlaceOrder, order);
  await app.pass();
  await expect(app.bus.as("ordering").schedule(PlaceOrder, order, { delayMs: 1 })).rejects.toMatchObject({ code: "PR_STORE_NEEDED" });
  expect(codes).toEqual(["PR_STORE_NEEDED", "PR_STORE_NEEDED"]);
});
