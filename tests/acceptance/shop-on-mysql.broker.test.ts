import { afterEach, describe, expect, test } from "vitest";
import { call, eventsUntil, startProcess } from "../../examples/shop/src/testing/shop-process.ts";
import type { ShopProcess } from "../../examples/shop/src/testing/shop-process.ts";
import { missingOwn, ownBroker } from "../brokers/own.ts";
import { temporaryFolder } from "../support/project.ts";

interface Step {
  readonly orderId: string;
  readonly status: string;
}

const STEPS = ["pending", "reserved", "paid", "shipped", "delivered"];
const missing = missingOwn("mariadb");
const running: ShopProcess[] = [];
afterEach(async () => {
  for (const shop of running.splice(0)) await shop.end("SIGKILL");
});

async function shopOn(environment: Readonly<Record<string, string>>): Promise<ShopProcess> {
  const shop = await startProcess(environment);
  running.push(shop);
  return shop;
}

async function order(base: string): Promise<string> {
  for (;;) {
    const { status, json } = await call(base, "POST", "/orders", { customerId: "c-1", items: [{ productId: "mug", quantity: 1 }] });
    if (status === 202) return String(json["orderId"]);
    expect(json["code"]).toBe("product.unknown"); // the gateway hears of the product in its time
  }
}

async function stepsOf(base: string, orderId: string, last: string): Promise<readonly string[]> {
  const steps = await eventsUntil<Step>(base, `/orders/${orderId}/stream`, ({ status }) => status === last);
  return steps.map(({ status }) => status);
}

// The reason stands in the name.
describe.skipIf(missing !== undefined)(`the shop on MariaDB${missing === undefined ? "" : ` (${missing})`}`, () => {
  test("takes orders to their delivery, goes on where it was killed, and finds its tables made", async () => {
    await using server = await ownBroker("mariadb");
    using data = temporaryFolder("shop");
    const environment = { SHOP_DATA: data.path, SHOP_STORE: server.url };
    const before = await shopOn({ ...environment, SHOP_STEP_MS: "500" });
    await call(before.url, "POST", "/items", { productId: "mug", name: "mug", price: 12_000 });
    await call(before.url, "PUT", "/stock/mug", { onHand: 10 });
    const first = await order(before.url);
    await stepsOf(before.url, first, "paid");
    await before.end("SIGKILL");
    const { url } = await shopOn(environment);
    expect(await stepsOf(url, first, "delivered")).toEqual(STEPS);
    const second = await order(url);
    expect(await stepsOf(url, second, "delivered")).toEqual(STEPS);
    const { json } = await call(url, "GET", "/orders?customerId=c-1");
    expect(json["items"]).toMatchObject([second, first].map((orderId) => ({ orderId, history: STEPS.map((status) => ({ status })) })));
  });
});
