import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { service } from "../pipeline/service.ts";
import type { Handler } from "../pipeline/service.ts";
import { appOf, OrderPlaced, PlaceOrder, PriceOrder } from "./app.test-support.ts";

test("a command is handled once by its owner, an event by each subscriber", async () => {
  const seen: string[] = [];
  const watch = (name: string) => service(name, (on) => on(OrderPlaced, (order) => void seen.push(`${name} ${order.orderId}`)));
  const ordering = service("ordering", (on) => on(PlaceOrder, (order, { publish }) => void publish(OrderPlaced, order)));
  await using app = await appOf([ordering, watch("mailing"), watch("billing")]);
  await app.bus.as("ordering").send(PlaceOrder, { orderId: "o-1", total: 1 });
  await app.pass();
  expect(seen.sort()).toEqual(["billing o-1", "mailing o-1"]);
});

test("rows and messages of a handler that throws are rolled back together", async () => {
  const placed: string[] = [];
  let runs = 0;
  const ordering = service("ordering", (on) => {
    on(PlaceOrder, async (order, { tx, publish }) => {
      await tx.run("create table if not exists orders (id text primary key)");
      await tx.run("insert into orders values (?)", order.orderId);
      publish(OrderPlaced, order);
      if (++runs === 1) throw new Error("after the insert");
    });
    on(OrderPlaced, (order) => void placed.push(order.orderId));
  });
  await using app = await appOf([ordering]);
  await app.bus.as("ordering").send(PlaceOrder, { orderId: "o-1", total: 1 });
  await app.pass();
  expect([runs, placed, await app.bus.as("ordering").read.all("select id from orders")]).toEqual([2, ["o-1"], [{ id: "o-1" }]]);
});

test("the same id is handled once, and another body under it is quarantined", async () => {
  const seen: number[] = [];
  const ordering = service("ordering", (on) => on(PlaceOrder, (order) => void seen.push(order.total)));
  await using app = await appOf([ordering]);
  const shop = app.bus.as("ordering");
  await shop.send(PlaceOrder, { orderId: "o-1", total: 1 }, { id: "job-1" });
  await shop.send(PlaceOrder, { orderId: "o-1", total: 1 }, { id: "job-1" });
  await shop.send(PlaceOrder, { orderId: "o-1", total: 2 }, { id: "job-1" });
  await app.pass();
  const letters = await app.bus.operations.deadLetters();
  expect([seen, letters.map(({ list, code, body }) => [list, code, body])]).toEqual([
    [1],
    [["quarantined", "PR_ID_CONFLICT", '{"orderId":"o-1","total":2}']],
  ]);
});

test("messages of one key run one after another, of other keys beside it", async () => {
  const running: string[] = [];
  let most = 0;
  const gates: (() => void)[] = [];
  const ordering = service("ordering", (on) =>
    on(PlaceOrder, async (order) => {
      running.push(order.orderId);
      most = Math.max(most, running.filter((key) => key === order.orderId).length);
      await new Promise<void>((resolve) => gates.push(resolve));
      running.splice(running.indexOf(order.orderId), 1);
    }),
  );
  await using app = await appOf([ordering]);
  for (const orderId of ["a", "a", "b", "a"]) await app.bus.as("ordering").send(PlaceOrder, { orderId, total: 1 });
  await app.pass();
  expect(running.toSorted()).toEqual(["a", "b"]);
  for (let round = 0; round < 4; round++) {
    gates.splice(0).forEach((open) => open());
    await app.pass();
  }
  expect([most, running]).toEqual([1, []]);
});

test("an answer comes back to who asked, and a failure does too", async () => {
  const pricing = service(
    "pricing",
    (on) =>
      on(PriceOrder, (order, { reply }) => {
        if (order.total < 0) throw Object.assign(new Error("below zero"), { code: "price.negative" });
        reply({ price: order.total * 2 });
      }),
    { retry: { immediate: 0, delayed: 0 } },
  );
  await using app = await appOf([pricing]);
  const shop = app.bus.as("pricing");
  const answer = shop.request(PriceOrder, { orderId: "o-1", total: 21 });
  await app.pass();
  expect(await answer).toEqual({ price: 42 });
  const failed = shop.request(PriceOrder, { orderId: "o-2", total: -1 }).catch((error: unknown) => error);
  await app.pass();
  expect(await failed).toMatchObject({ code: "PR_REPLY_FAILED", details: { reason: "price.negative: below zero" } });
});

test("a request that nobody answers in time is rejected, and expires unhandled", async () => {
  let runs = 0;
  const busy = service("busy", (on) => on(PriceOrder, () => new Promise(() => void runs++)), { concurrency: 1 });
  await using app = await appOf([busy], { drainMs: 10 });
  const shop = app.bus.as("busy");
  const both = Promise.allSettled([
    shop.request(PriceOrder, { orderId: "o-1", total: 1 }, { timeoutMs: 500 }),
    shop.request(PriceOrder, { orderId: "o-1", total: 1 }, { timeoutMs: 500 }),
  ]);
  await app.pass(600);
  expect((await both).map((one) => (one.status === "rejected" ? (one.reason as { code: string }).code : "answered"))).toEqual([
    "PR_REQUEST_TIMEOUT",
    "PR_REQUEST_TIMEOUT",
  ]);
  expect(runs).toBe(1);
});

test("requests that wait beside one another each have their own time, and answered ones leave no timer behind", async () => {
  const asked: string[] = [];
  const silent = service("silent", (on) =>
    on(PriceOrder, (order, { reply }) => {
      asked.push(order.orderId);
      return order.total > 0 ? reply({ price: 1 }) : new Promise(() => undefined);
    }),
  );
  await using app = await appOf([silent], { drainMs: 10 });
  const ended: string[] = [];
  const ask = (orderId: string, total: number, timeoutMs: number): Promise<unknown> =>
    app.bus
      .as("silent")
      .request(PriceOrder, { orderId, total }, { timeoutMs })
      .then(
        () => ended.push(`${orderId} answered`),
        (error: { readonly code: string }) => ended.push(`${orderId} ${error.code}`),
      );
  void ask("slow", 0, 900);
  void ask("quick", 1, 100);
  void ask("short", 0, 300);
  await app.pass(200);
  expect([asked, ended]).toEqual([["slow", "quick", "short"], ["quick answered"]]);
  await app.pass(200);
  expect(ended).toEqual(["quick answered", "short PR_REQUEST_TIMEOUT"]);
  await app.pass(600);
  expect(ended).toEqual(["quick answered", "short PR_REQUEST_TIMEOUT", "slow PR_REQUEST_TIMEOUT"]);
});

test("a request whose caller has given up is not sent, and a signal that lives on is not listened to for ever", async () => {
  let runs = 0;
  const pricing = service("pricing", (on) => on(PriceOrder, (_, { reply }) => (runs++, reply({ price: 1 }))));
  await using app = await appOf([pricing]);
  const ask = (signal: AbortSignal): Promise<unknown> =>
    app.bus.as("pricing").request(PriceOrder, { orderId: "o-1", total: 1 }, { signal });
  await expect(ask(AbortSignal.abort())).rejects.toMatchObject({ code: "PR_ABORTED" });
  await app.pass(100);
  expect(runs).toBe(0);
  const { signal } = new AbortController();
  const asking = ask(signal);
  await app.pass(100);
  expect([await asking, getEventListeners(signal, "abort")]).toEqual([{ price: 1 }, []]);
});

test("what is used after the unit of work has ended throws, and is reported", async () => {
  const late: unknown[] = [];
  let keep: (() => void) | undefined;
  const ordering = service("ordering", (on) =>
    on(PlaceOrder, (order, { publish }) => {
      keep = () => publish(OrderPlaced, order);
    }),
  );
  const other = service("other", (on) => on(OrderPlaced, (order) => void late.push(order)));
  await using app = await appOf([ordering, other]);
  await app.bus.as("ordering").send(PlaceOrder, { orderId: "o-1", total: 1 });
  await app.pass();
  expect(() => keep!()).toThrow(expect.objectContaining({ code: "PR_CONTEXT_SEALED" }) as Error);
  expect([late, app.lines.filter(({ level }) => level === "error").map(({ fields }) => fields["code"])]).toEqual([
    [],
    ["PR_CONTEXT_SEALED"],
  ]);
});

test("once keeps its result for later runs, and must come before the transaction", async () => {
  const effects: string[] = [];
  const outcomes: string[] = [];
  let runs = 0;
  const handler: Handler<typeof PlaceOrder> = async (_, { once, tx }) => {
    const receipt = await once("charge", async (key) => {
      effects.push(key);
      return { receipt: effects.length };
    });
    await tx.all("select 1");
    await once("too late", async () => 1).catch((error: { code: string }) => outcomes.push(error.code));
    outcomes.push(`receipt ${receipt.receipt}`);
    if (++runs < 3) throw new Error("again");
  };
  await using app = await appOf([service("paying", (on) => on(PlaceOrder, handler))]);
  await app.bus.as("paying").send(PlaceOrder, { orderId: "o-1", total: 1 });
  await app.pass(5000);
  expect([effects.length, outcomes]).toEqual([
    1,
    ["PR_TRANSACTION_OPEN", "receipt 1", "PR_TRANSACTION_OPEN", "receipt 1", "PR_TRANSACTION_OPEN", "receipt 1"],
  ]);
});

test("what would wait for its own unit of work is refused at once, and says what to do instead", async () => {
  const refused: string[] = [];
  const note = (error: Error): void => void refused.push(error.message);
  const handler: Handler<typeof PlaceOrder> = async (body, { tx, publish }) => {
    await shop.publish(OrderPlaced, { ...body, total: 2 }); // nothing is open yet: that is its own affair
    await tx.all("select 1");
    await shop.send(PlaceOrder, body).catch(note);
    await (async () => shop.read.get("select 1"))().catch(note);
    await Promise.all([1].map(() => shop.transaction(async ({ tx: other }) => other.all("select 1")))).catch(note);
    publish(OrderPlaced, { ...body, total: 3 });
  };
  const placed: number[] = [];
  const ordering = service("ordering", (on) => {
    on(PlaceOrder, handler);
    on(OrderPlaced, ({ total }) => void placed.push(total));
  });
  await using app = await appOf([ordering]);
  const shop = app.bus.as("ordering");
  await shop.send(PlaceOrder, { orderId: "o-1", total: 1 });
  await app.pass();
  await shop.transaction(async ({ tx }) => {
    await tx.all("select 1");
    await shop.schedule(PlaceOrder, { orderId: "o-2", total: 1 }, { delayMs: 1 }).catch(note);
  });
  expect(placed).toEqual([2, 3]);
  expect(refused).toEqual([
    expect.stringMatching(/PR_TRANSACTION_OPEN.*bus\.as\("ordering"\)\.send.*order\.place in ordering.*its own `send`/),
    expect.stringMatching(/\.read must be called before/),
    expect.stringMatching(/\.transaction must be called before/),
    expect.stringMatching(/\.schedule must be called before.*a transaction of ordering/),
  ]);
});

test("ids of what a handler sends are the same in every run, however its sends are ordered", async () => {
  const ids: string[][] = [];
  const ordering = service("ordering", (on) => {
    on(PlaceOrder, async (order, { publish }) => {
      const orders = ids.length === 0 ? ["a", "b"] : ["b", "a"];
      const sent = new Map(orders.map((orderId) => [orderId, publish(OrderPlaced, { ...order, orderId }).id]));
      ids.push([sent.get("a")!, sent.get("b")!]);
      if (ids.length === 1) throw new Error("again");
    });
    on(OrderPlaced, () => undefined);
  });
  await using app = await appOf([ordering]);
  await app.bus.as("ordering").send(PlaceOrder, { orderId: "o-1", total: 1 });
  await app.pass();
  expect(ids.length).toBe(2);
  expect(ids[0]).toEqual(ids[1]);
});

test("ids of thread, cause and conversation go from message to message and onto the log lines", async () => {
  const facts: { id: string; correlationId: string; causationId: string | undefined; conversationId: string }[] = [];
  const ordering = service("ordering", (on) => {
    on(PlaceOrder, (order, { publish, message, log }) => {
      facts.push(message);
      log.warn({}, "hello");
      publish(OrderPlaced, order);
    });
    on(OrderPlaced, (_, { message }) => void facts.push(message));
  });
  await using app = await appOf([ordering]);
  const { id } = await app.bus.as("ordering").send(PlaceOrder, { orderId: "o-1", total: 1 }, { correlationId: "thread-1" });
  await app.pass();
  expect(facts.map(({ correlationId, causationId, conversationId }) => [correlationId, causationId, conversationId])).toEqual([
    ["thread-1", undefined, id],
    ["thread-1", id, id],
  ]);
  expect(app.lines.find(({ text }) => text === "hello")?.fields).toMatchObject({
    service: "ordering",
    messageId: id,
    correlationId: "thread-1",
    conversationId: id,
  });
});
