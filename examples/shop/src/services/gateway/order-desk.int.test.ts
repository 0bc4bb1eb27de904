import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBus, systemClock, uuidv7Ids } from "postrider";
import type { Bus } from "postrider";
import { sqlite } from "postrider/sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { migrate } from "../../part.ts";
import { ordering } from "../ordering/service.ts";
import { OrderDesk } from "./order-desk.ts";
import type { Placing, Wish } from "./place.ts";
import { gateway } from "./service.ts";

const part = gateway(() => undefined);
let folder: string;
let bus: Bus;
let desk: OrderDesk;

const wish = (customerId: string, idempotencyKey?: string, quantity = 1, productId = "cup"): Wish => ({
  customerId,
  items: [{ productId, quantity }],
  idempotencyKey,
  correlationId: customerId,
});
const outcomesOf = (placings: readonly Placing[]): readonly string[] => placings.map(({ outcome }) => outcome);
const idOf = (placing: Placing | undefined): string | undefined =>
  placing !== undefined && "orderId" in placing ? placing.orderId : undefined;

async function rowsOf(table: string): Promise<number> {
  return (await bus.as("gateway").read.get<{ readonly rows: number }>(`select count(*) as rows from ${table}`))!.rows;
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "postrider-desk-"));
  const infrastructure = sqlite(join(folder, "shop.db"));
  if (infrastructure.store === "none") throw new Error("no store");
  const store = infrastructure.store("gateway");
  bus = createBus({ ...infrastructure, store: () => store, services: [part.service, ordering().service], run: ["gateway"] });
  await store.open();
  await migrate(part, store, "sqlite");
  await bus.start();
  const sender = bus.as("gateway");
  await sender.transaction(({ tx }) =>
    tx.run("insert into gateway_items (product_id, name, price, version) values ('cup', 'Cup', 5000, 1)"),
  );
  desk = new OrderDesk({ sender, clock: systemClock, ids: uuidv7Ids(systemClock) });
});
afterEach(async () => {
  await bus.stop();
  rmSync(folder, { recursive: true });
});

describe("the desk that takes orders", () => {
  test("orders that come at once are each written once, and each is told of its own", async () => {
    const placings = await Promise.all(
      Array.from({ length: 700 }, (_, n) => desk.place(wish(`c${n}`, n % 2 === 0 ? `key ${n}` : undefined))),
    );
    expect(new Set(outcomesOf(placings))).toEqual(new Set(["accepted"]));
    expect(new Set(placings.map(idOf)).size).toBe(700);
    const customers = await bus
      .as("gateway")
      .read.all<{ readonly id: string; readonly customer: string }>("select order_id as id, customer_id as customer from gateway_orders");
    expect(Object.fromEntries(customers.map(({ id, customer }) => [customer, id]))).toEqual(
      Object.fromEntries(placings.map((placing, n) => [`c${n}`, idOf(placing)])),
    );
  });

  test("of calls with one key one makes an order, others find it or are told that the key is taken", async () => {
    const calls = ["a", "a", "b", "a"].map((customer) => desk.place(wish(customer, "the key")));
    const placings = await Promise.all([...calls, desk.place(wish("c"))]);
    expect(outcomesOf(placings)).toEqual(["accepted", "repeated", "otherBody", "repeated", "accepted"]);
    expect(new Set([0, 1, 3].map((at) => idOf(placings[at]))).size).toBe(1);
    const busy = [1, 2, 3].map((n) => desk.place(wish(`e${n}`))); // the next ones wait for these, and are written together
    const together = ["the key", "another key", "a third key"].map((key) => desk.place(wish("a", key)));
    expect(outcomesOf(await Promise.all([...busy, ...together])).slice(3)).toEqual(["repeated", "accepted", "accepted"]);
    expect([await rowsOf("gateway_orders"), await rowsOf("gateway_keys")]).toEqual([7, 3]);
  });

  test("one that cannot be taken stops none of those beside it", async () => {
    const wishes = [wish("a"), wish("b", undefined, 1, "nothing"), wish("c", undefined, 200_000_001), wish("d")];
    expect(outcomesOf(await Promise.all(wishes.map((one) => desk.place(one))))).toEqual([
      "accepted",
      "unknownProduct",
      "tooMuch",
      "accepted",
    ]);
    const settled = await Promise.allSettled([wish("e"), wish("f", "its key", 0.5), wish("g", "other key")].map((one) => desk.place(one)));
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect([await rowsOf("gateway_orders"), await rowsOf("gateway_keys")]).toEqual([4, 1]);
  });
});
