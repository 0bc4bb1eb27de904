import { connect } from "amqplib";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../packages/postrider/src/base/clock.ts";
import type { StandardSchema } from "../../packages/postrider/src/contracts/standard-schema.ts";
import { createBus, bodyIdentity, command, event, headerIdentity, mappings, service } from "../../packages/postrider/src/index.ts";
import type { AnyContract, Bus, Service } from "../../packages/postrider/src/index.ts";
import { rabbitmq } from "../../packages/postrider/src/presets/rabbitmq.ts";
import { sqlite } from "../../packages/postrider/src/presets/sqlite.ts";
import { missingOwn, ownBroker } from "../brokers/own.ts";
import { SILENT, until } from "./harness.ts";

const Order = anything<{ readonly orderId: string; readonly total: number }>();
const PlaceOrder = command("order.place", { schema: Order, key: ({ orderId }) => orderId });
const PriceOrder = command("order.price", { schema: Order, reply: anything<{ readonly price: number }>(), key: ({ orderId }) => orderId });
const OrderPlaced = event("order.placed", { schema: Order, key: ({ orderId }) => orderId });
const MemberUpdated = event("member.updated", { schema: anything<{ readonly memberId: string; readonly name: string }>() });
const missing = missingOwn("rabbitmq");

const ordering = service("ordering", (on) => {
  on(PlaceOrder, async (order, { tx, publish }) => {
    await tx.run("insert into orders (id) values (?)", order.orderId);
    publish(OrderPlaced, order);
  });
  on(PriceOrder, ({ total }, { reply }) => reply({ price: total * 2 }));
});
const mailing = service("mailing", (on) => {
  on(OrderPlaced, async ({ orderId }, { tx }) => {
    await tx.run("insert into mails (id) values (?)", orderId);
  });
});

// The reason stands in the name.
describe.skipIf(missing !== undefined)(`an app on RabbitMQ${missing === undefined ? "" : ` (${missing})`}`, () => {
  test(
    "handles each command and event once through outbox and relay, while the broker is killed and comes back",
    { timeout: 180_000 },
    async () => {
      await using broker = await ownBroker("rabbitmq");
      await using app = await appOn(broker.url, [ordering, mailing]);
      const shop = app.bus.as("ordering");
      await app.bus.as("ordering").transaction(({ tx }) => tx.run("create table orders (id text)"));
      await app.bus.as("mailing").transaction(({ tx }) => tx.run("create table mails (id text)"));
      // RabbitMQ 3.10 may forget a quorum queue for ever that was declared in its last seconds before SIGKILL.
      await systemClock.sleep(8000);
      const total = 600;
      let mended: Promise<void> | undefined;
      for (let at = 0; at < total; at++) {
        await shop.send(PlaceOrder, { orderId: `o-${at}`, total: at });
        if (at === 200) mended = broker.kill().then(() => broker.start());
      }
      await mended;
      const count = async (name: string, table: string): Promise<unknown> =>
        (await app.bus.as(name).read.get<{ n: number }>(`select count(*) as n from ${table}`))!.n;
      await until(async () => (await count("mailing", "mails")) === total, "every order had its mail");
      expect(await count("ordering", "orders")).toBe(total);
      expect(await app.bus.operations.deadLetters()).toEqual([]);
      await expect(shop.request(PriceOrder, { orderId: "o-1", total: 21 })).resolves.toEqual({ price: 42 });
    },
  );

  test("reads what plain producers write, and plain consumers read what it writes", { timeout: 180_000 }, async () => {
    await using broker = await ownBroker("rabbitmq");
    const seen: string[] = [];
    const items = service("items", (on) => void on(MemberUpdated, ({ name }, { message }) => void seen.push(`${message.id}: ${name}`)), {
      foreign: { "member.events": mappings(headerIdentity(), bodyIdentity()) },
    });
    await using app = await appOn(broker.url, [items, ordering], [OrderPlaced]);
    await app.bus.as("ordering").transaction(({ tx }) => tx.run("create table orders (id text)"));
    const connection = await connect(broker.url);
    const channel = await connection.createConfirmChannel();
    const write = (body: object, options: object): boolean =>
      channel.publish("member.events", "member.updated", Buffer.from(JSON.stringify(body)), options);
    write(
      { memberId: "m-1", name: "Kim" },
      { headers: { "event-type": "member.updated.v1", "event-id": "e-1" }, contentType: "application/json" },
    );
    write({ memberId: "m-2", name: "Lee" }, { type: "member.updated", messageId: "e-2" });
    write({ event_id: "e-3", event_type: "member.updated", version: "1.0", payload: { memberId: "m-3", name: "박" } }, {});
    await channel.waitForConfirms();
    await until(() => seen.length === 3, "three foreign messages were handled");
    expect(seen.toSorted()).toEqual(["e-1: Kim", "e-2: Lee", "e-3: 박"]);

    const { queue } = await channel.assertQueue("", { exclusive: true });
    await channel.bindQueue(queue, "order.events", "order.placed.#");
    const got = Promise.withResolvers<{ content: Buffer; properties: Record<string, unknown>; key: string }>();
    await channel.consume(
      queue,
      (found) => found && got.resolve({ ...found, properties: { ...found.properties }, key: found.fields.routingKey }),
    );
    const { id } = await app.bus.as("ordering").send(PlaceOrder, { orderId: "o-1", total: 7 });
    const { content, properties, key } = await got.promise;
    expect(JSON.parse(String(content))).toEqual({ orderId: "o-1", total: 7 });
    expect(key).toMatch(/^order\.placed\.[0-7]$/);
    expect(properties).toMatchObject({
      contentType: "application/json",
      type: "order.placed",
      appId: "/ordering",
      correlationId: id,
      deliveryMode: 2,
    });
    expect(properties["headers"]).toMatchObject({
      "cloudEvents:specversion": "1.0",
      "cloudEvents:type": "order.placed",
      "cloudEvents:partitionkey": "o-1",
      "cloudEvents:causationid": id,
    });
    await connection.close();
  });
});

async function appOn(
  url: string,
  services: readonly Service[],
  external: readonly AnyContract[] = [],
): Promise<AsyncDisposable & { readonly bus: Bus }> {
  const folder = await mkdtemp(join(tmpdir(), "postrider-rabbitmq-"));
  const transport = rabbitmq({ url, heartbeatSeconds: 2, rebalanceMs: 200, logger: SILENT });
  const { store } = sqlite(join(folder, "app.db"));
  const bus = createBus({ services, external, commands: transport, events: transport, store, logger: SILENT });
  await bus.start();
  return {
    bus,
    [Symbol.asyncDispose]: async () => {
      await bus.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A schema that takes everything. */
function anything<Body>(): StandardSchema<Body, Body> {
  return { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: value as Body }) } };
}
