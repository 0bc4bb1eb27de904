import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { call, eventsUntil, startProcess, startServer } from "./testing/shop-process.ts";
import type { ShopProcess } from "./testing/shop-process.ts";

interface Step {
  readonly orderId: string;
  readonly status: string;
}
interface Item {
  readonly memberName: string | null;
}

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

function dataFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "shop-test-"));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function shop(environment: Readonly<Record<string, string>>): Promise<ShopProcess> {
  const started = await startProcess(environment);
  closing.push(() => started.end("SIGKILL"));
  return started;
}

async function list(base: string, productId: string, price: number): Promise<void> {
  expect((await call(base, "POST", "/items", { productId, name: productId, price })).status).toBe(201);
  expect((await call(base, "PUT", `/stock/${productId}`, { onHand: 10 })).status).toBe(200);
}

/** Orders as soon as the gateway has heard of the product: its read model follows the item service's answer. */
async function order(base: string, productId: string): Promise<string> {
  for (;;) {
    const { status, json } = await call(base, "POST", "/orders", { customerId: "c-1", items: [{ productId, quantity: 1 }] });
    if (status === 202) return String(json["orderId"]);
    expect(json["code"]).toBe("product.unknown");
  }
}

const isEnd = ({ status }: Step): boolean => status === "delivered" || status === "cancelled";

describe("the shop in one process", () => {
  test("takes an order to its delivery, tells each step, and stops when asked", async () => {
    const { url, end } = await shop({ SHOP_DATA: dataFolder() });
    await list(url, "mouse", 39_000);
    const steps = await eventsUntil<Step>(url, `/orders/${await order(url, "mouse")}/stream`, isEnd);
    expect(steps.map((step) => step.status)).toEqual(["pending", "reserved", "paid", "shipped", "delivered"]);
    expect((await call(url, "GET", "/readyz")).json).toMatchObject({ isReady: true, state: "running" });
    expect(await end("SIGTERM")).toBe(0);
  });

  test("goes on where it was killed", async () => {
    const data = dataFolder();
    const before = await shop({ SHOP_DATA: data, SHOP_STEP_MS: "500" });
    await list(before.url, "mug", 12_000);
    const orderId = await order(before.url, "mug");
    await eventsUntil<Step>(before.url, `/orders/${orderId}/stream`, ({ status }) => status === "paid");
    await before.end("SIGKILL");
    const after = await shop({ SHOP_DATA: data });
    const steps = await eventsUntil<Step>(after.url, `/orders/${orderId}/stream`, isEnd);
    expect(steps.map((step) => step.status)).toEqual(["pending", "reserved", "paid", "shipped", "delivered"]);
  });

  test("keeps what the payment provider refuses as a dead letter, alerts, and finishes the order once it is redriven", async () => {
    const alerted = Promise.withResolvers<{ readonly kind: string; readonly deadLetterId: string }>();
    const webhook = await startServer((_request, body, response) => {
      alerted.resolve(JSON.parse(body) as { readonly kind: string; readonly deadLetterId: string });
      response.end();
    });
    closing.push(() => webhook.stop());
    const { url } = await shop({ SHOP_DATA: dataFolder(), SHOP_ALERT_URL: webhook.url });
    await list(url, "unregistered", 7_777);
    const orderId = await order(url, "unregistered");
    const { kind, deadLetterId } = await alerted.promise;
    expect(kind).toBe("deadLetter");
    const { json } = await call(url, "GET", "/dead-letters");
    expect(json["items"]).toMatchObject([
      { id: deadLetterId, contract: "payment.charge", service: "payment", code: "payment.rejected", attempts: 1 },
    ]);
    expect((await call(url, "POST", `/dead-letters/${deadLetterId}/redrive`)).status).toBe(202);
    const steps = await eventsUntil<Step>(url, `/orders/${orderId}/stream`, isEnd);
    expect(steps.at(-1)?.status).toBe("delivered");
  });
});

describe("the item service", () => {
  test("asks the member service where it has no copy of a name, and shows none where that fails", async () => {
    const member = await startServer((request, _body, response) => {
      if (request.url === "/internal/members/m-1") response.end(JSON.stringify({ memberId: "m-1", name: "홍 길동" }));
      else response.destroy();
    });
    closing.push(() => member.stop());
    const { url } = await shop({ SHOP_DATA: dataFolder(), SHOP_SERVICES: "gateway,item", SHOP_MEMBER_URL: member.url });
    const listed = async (productId: string, memberId: string): Promise<string | null> =>
      ((await call(url, "POST", "/items", { productId, name: productId, price: 1_000, memberId })).json as unknown as Item).memberName;
    expect(await listed("book", "m-1")).toBe("홍 길동");
    expect(await listed("other-book", "m-2")).toBeNull();
  });
});
