import { describe, expect, test } from "vitest";
import { command, createBus, event, service } from "postrider";
import type { Bus, Service, StandardSchema } from "postrider";
import { postgres } from "postrider/postgres";
import { missingOwn, ownBroker } from "../brokers/own.ts";
import { until } from "./wait.ts";

interface Order {
  readonly orderId: string;
  readonly total: number;
}

/** A schema that takes everything: what is checked here is not bodies. */
function anything<Body>(): StandardSchema<Body, Body> {
  return { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: value as Body }) } };
}

const Order = anything<Order>();
const PlaceOrder = command("order.place", { schema: Order, key: ({ orderId }) => orderId });
const PriceOrder = command("order.price", { schema: Order, reply: anything<{ readonly price: number }>(), key: ({ orderId }) => orderId });
const OrderPlaced = event("order.placed", { schema: Order, key: ({ orderId }) => orderId });
const missing = missingOwn("postgres");

const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

const ordering = service("ordering", (on) => {
  on(
    PlaceOrder,
    async (order, { tx, publish }) => {
      if (order.total < 0) throw new Error("no such order");
      await tx.run("insert into orders (id) values (?)", order.orderId);
      publish(OrderPlaced, order);
    },
    { retry: { immediate: 1, delayed: 1, backoff: { firstMs: 50, maxMs: 50 } } },
  );
  on(PriceOrder, ({ total }, { reply }) => reply({ price: total * 2 }));
});
const mailing = service("mailing", (on) => {
  on(OrderPlaced, async ({ orderId }, { tx }) => void (await tx.run("insert into mails (id) values (?)", orderId)));
});
const counting = service("counting", (on) => void on(OrderPlaced, () => undefined));

async function appOn(url: string, services: readonly Service[], run?: readonly string[]): Promise<Bus> {
  const bus = createBus({
    services,
    ...postgres({ url, schema: "shop", logger: SILENT, leaseMs: 1000 }),
    logger: SILENT,
    ...(run === undefined ? {} : { run }),
  });
  await bus.start();
  return bus;
}

async function makeTables(bus: Bus): Promise<void> {
  await bus.as("ordering").transaction(async ({ tx }) => {
    await tx.run("create table if not exists orders (id text)");
    await tx.run("create table if not exists mails (id text)");
  });
}

async function count(bus: Bus, table: string): Promise<number> {
  return Number((await bus.as("ordering").read.get<{ n: unknown }>(`select count(*) as n from ${table}`))!.n);
}

// Without a server there is nothing to run on: the name says why there is none.
describe.skipIf(missing !== undefined)(`an app on PostgreSQL alone${missing === undefined ? "" : ` (skipped: ${missing})`}`, () => {
  test("commands, events, answers, retries and dead letters in one process", async () => {
    await using server = await ownBroker("postgres");
    await using bus = await appOn(server.url, [ordering, mailing, counting]);
    await makeTables(bus);
    const shop = bus.as("ordering");
    await Promise.all(Array.from({ length: 300 }, (_, at) => shop.send(PlaceOrder, { orderId: `o-${at}`, total: at })));
    const { id } = await shop.send(PlaceOrder, { orderId: "bad", total: -1 });
    await expect(shop.request(PriceOrder, { orderId: "o-1", total: 21 })).resolves.toEqual({ price: 42 });
    await until(async () => (await count(bus, "mails")) === 300);
    expect(await count(bus, "orders")).toBe(300);
    await until(async () => (await bus.operations.deadLetters()).length === 1);
    const [letter] = await bus.operations.deadLetters();
    expect(letter).toMatchObject({ messageId: id, list: "failed", attempts: 3 });
    await until(async () =>
      (await bus.operations.destinations()).every(({ subscriptions }) => subscriptions.every(({ backlog }) => backlog === 0)),
    );
    const inbox = await shop.read.get<{ n: unknown }>("select count(*) as n from pr_inbox");
    expect(Number(inbox!.n)).toBe(0); // positions prove it
  });

  test("services in processes of their own, and answers from one to another, while the server is killed and comes back", async () => {
    await using server = await ownBroker("postgres");
    await using front = await appOn(server.url, [ordering, mailing, counting], ["ordering"]);
    await using back = await appOn(server.url, [ordering, mailing, counting], ["mailing", "counting"]);
    await makeTables(front);
    const sends: Promise<unknown>[] = [];
    for (let at = 0; at < 1500; at++) {
      sends.push(front.as("ordering").send(PlaceOrder, { orderId: `o-${at}`, total: at }));
      if (at === 700) await server.kill().then(() => server.start());
    }
    await Promise.all(sends);
    await until(async () => (await count(front, "mails").catch(() => 0)) >= 1500);
    expect(await count(front, "orders")).toBe(1500);
    expect(await count(front, "mails")).toBe(1500);
    expect(await front.operations.deadLetters()).toEqual([]);
    await expect(back.as("mailing").request(PriceOrder, { orderId: "o-1", total: 4 })).resolves.toEqual({ price: 8 });
  });
});
