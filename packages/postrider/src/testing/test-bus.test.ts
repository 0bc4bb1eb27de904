import { expect, test } from "vitest";
import { z } from "zod";
import { command, event } from "../contracts/contract.ts";
import { service } from "../pipeline/service.ts";
import { handlerSpec } from "./handler-spec.ts";
import { testBus } from "./test-bus.ts";

const Order = z.object({ orderId: z.string(), total: z.number() });
const PlaceOrder = command("order.place", { schema: Order, key: (order) => order.orderId });
const PriceOrder = command("order.price", { schema: Order, reply: z.object({ price: z.number() }), key: (order) => order.orderId });
const OrderPlaced = event("order.placed", { schema: Order, key: (order) => order.orderId });
const SendMail = command("mail.send", { schema: z.object({ to: z.string() }) });

const ordering = service("ordering", (on) => {
  on(PlaceOrder, async (order, context) => {
    if (order.total < 0) throw Object.assign(new Error("a negative total"), { code: "NEGATIVE" });
    await context.tx.run("insert into orders (id, total) values (?, ?)", order.orderId, order.total);
    context.publish(OrderPlaced, order);
    context.send(SendMail, { to: order.orderId });
  });
  on(PriceOrder, async (order, context) => {
    const row = await context.tx.get<{ total: number }>("select total from orders where id = ?", order.orderId);
    if (row === undefined) throw new Error("no such order");
    context.reply({ price: row.total });
  });
});
const mailing = service("mailing", (on) => on(SendMail, () => undefined));

const TABLE = "create table orders (id text primary key, total integer)";

test("settled waits until every message that a message caused is handled", async () => {
  await using app = await testBus({ services: [ordering, mailing], external: [OrderPlaced] });
  await app.as("ordering").transaction(({ tx }) => tx.run(TABLE));
  await Promise.all(Array.from({ length: 50 }, (_, at) => app.as("ordering").send(PlaceOrder, { orderId: `o-${at}`, total: at })));
  await app.settled();
  expect(app.sent(PlaceOrder)).toHaveLength(50);
  expect(app.published(OrderPlaced).map(({ body }) => body.total)).toHaveLength(50);
  expect(app.handled(SendMail)).toHaveLength(50);
  expect(await app.deadLetters()).toEqual([]);
});

test("settled waits for handlers that wait for the outside", async () => {
  const slow = service("mailing", (on) =>
    on(SendMail, async () => {
      for (let turn = 0; turn < 20; turn++)
        await new Promise<void>((resolve) => void import("node:fs").then((fs) => fs.stat(".", () => resolve())));
    }),
  );
  await using app = await testBus({ services: [slow] });
  await app.as("mailing").send(SendMail, { to: "a" });
  await app.settled();
  expect(app.handled(SendMail)).toHaveLength(1);
});

test("settled says which handler does not end by itself", async () => {
  const sleepy = service("mailing", (on) => on(SendMail, (_, { clock }) => clock.sleep(1000)));
  await using app = await testBus({ services: [sleepy], patienceMs: 20 });
  await app.as("mailing").send(SendMail, { to: "a" });
  await expect(app.settled()).rejects.toThrow("mailing handling mail.send");
  await app.advance(1000);
  await app.settled();
  expect(app.handled(SendMail)).toHaveLength(1);
});

test("time passes only by advance: a retry waits for it, and each attempt has its own time", async () => {
  const at: number[] = [];
  const failing = service("mailing", (on) =>
    on(
      SendMail,
      (_, { clock }) => {
        at.push(clock.now());
        throw new Error("no mail today");
      },
      { retry: { immediate: 0, delayed: 2, backoff: { firstMs: 1000, maxMs: 60_000, jitter: 0 } } },
    ),
  );
  await using app = await testBus({ services: [failing] });
  const startedAt = app.clock.now();
  await app.as("mailing").send(SendMail, { to: "a" });
  await app.settled();
  expect(at).toEqual([startedAt]);
  await app.advance(60_000);
  expect(at).toHaveLength(3);
  expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(1000);
  expect(at[2]! - at[1]!).toBeGreaterThanOrEqual(2000);
  expect((await app.deadLetters(SendMail)).map(({ reason }) => reason)).toEqual(["no mail today"]);
  expect(app.failed(SendMail)).toHaveLength(3);
  expect(app.alerts.map(({ kind }) => kind)).toContain("deadLetter");
});

test("after a crash what was committed is there, and what was running runs again", async () => {
  let runs = 0;
  const stuck = service("mailing", (on) =>
    on(SendMail, async (_, { tx, clock }) => {
      runs++;
      await tx.run("insert into mails (run) values (?)", runs);
      if (runs === 1) await clock.sleep(1000);
    }),
  );
  await using app = await testBus({ services: [stuck] });
  await app.as("mailing").transaction(({ tx }) => tx.run("create table mails (run integer)"));
  await app.as("mailing").send(SendMail, { to: "a" });
  await app.advance(10);
  expect(runs).toBe(1);
  await app.crash();
  await app.advance(10_000);
  await app.settled();
  expect(runs).toBe(2);
  expect(await app.as("mailing").read.all("select run from mails")).toEqual([{ run: 2 }]);
  expect(app.handled(SendMail)).toHaveLength(1);
});

test("given rows, when a command comes, then it publishes, sends and leaves rows", async () => {
  const outcome = handlerSpec(ordering)
    .given(TABLE)
    .given("insert into orders (id, total) values (?, ?)", "old", 1)
    .when(PlaceOrder, { orderId: "o-1", total: 59_000 })
    .expect({
      publishes: [[OrderPlaced, { orderId: "o-1", total: 59_000 }]],
      sends: [[SendMail, { to: "o-1" }]],
      rows: [{ sql: "select id, total from orders where id = ?", parameters: ["o-1"], rows: [{ id: "o-1", total: 59_000 }] }],
    });
  await expect(outcome).resolves.toBeUndefined();
});

test("given rows, when a command is requested, then it replies", async () => {
  const outcome = handlerSpec(ordering, { contracts: [OrderPlaced, SendMail] })
    .given(({ tx }) => tx.run(TABLE))
    .given("insert into orders (id, total) values (?, ?)", "o-1", 7)
    .when(PriceOrder, { orderId: "o-1", total: 0 })
    .expect({ replies: { price: 7 } });
  await expect(outcome).resolves.toBeUndefined();
});

test("a handler that throws has the expected code or text, and leaves nothing", async () => {
  const spec = handlerSpec(ordering, { contracts: [OrderPlaced, SendMail] }).given(TABLE);
  const negative = spec
    .when(PlaceOrder, { orderId: "o-1", total: -1 })
    .expect({ throws: "NEGATIVE", rows: [{ sql: "select * from orders", rows: [] }] });
  await expect(negative).resolves.toBeUndefined();
  const absent = spec.when(PriceOrder, { orderId: "o-1", total: 1 }).expect({ throws: /no such order/ });
  await expect(absent).resolves.toBeUndefined();
});

test("what was not expected fails the spec", async () => {
  const when = handlerSpec(ordering, { contracts: [SendMail, OrderPlaced] })
    .given(TABLE)
    .when(PlaceOrder, { orderId: "o-1", total: 1 });
  await expect(when.expect({ publishes: [[OrderPlaced, { orderId: "o-1", total: 1 }]] })).rejects.toThrow("what the handler sends");
  await expect(when.expect({ throws: "NEGATIVE" })).rejects.toThrow("did not");
  await expect(
    handlerSpec(ordering, { contracts: [SendMail, OrderPlaced] })
      .when(PlaceOrder, { orderId: "o-1", total: 1 })
      .expect({}),
  ).rejects.toThrow("no such table");
});
