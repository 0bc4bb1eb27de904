import { afterEach, beforeEach, expect, test } from "vitest";
import { service } from "../pipeline/service.ts";
import type { UnitOfWorkSql } from "../pipeline/context.ts";
import { appOf, PlaceOrder } from "./app.test-support.ts";

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
beforeEach(() => void process.on("unhandledRejection", note));
afterEach(() => {
  process.off("unhandledRejection", note);
  unhandled.length = 0;
});

const GOOD = "insert into orders (id) values ('good')";
const BAD = "insert into nowhere (id) values (1)";

type Use = (tx: UnitOfWorkSql) => unknown;

/** What becomes of a message whose handler uses its transaction like this: the rows it leaves, and the reasons of its dead letters. */
async function handledBy(
  use: Use,
): Promise<{ readonly rows: unknown; readonly reasons: readonly string[]; readonly unhandled: readonly unknown[] }> {
  const ordering = service("ordering", (on) => on(PlaceOrder, async (_order, { tx }) => void (await use(tx))), {
    retry: { immediate: 0, delayed: 0 },
  });
  await using app = await appOf([ordering]);
  const sender = app.bus.as("ordering");
  await sender.transaction(({ tx }) => tx.run("create table orders (id text)"));
  await sender.send(PlaceOrder, { orderId: "o-1", total: 1 });
  await app.pass(100);
  await new Promise(setImmediate); // that is when Node says what nobody has handled
  const letters = await app.bus.operations.deadLetters({}, { limit: 9 });
  return { rows: await sender.read.all("select id from orders"), reasons: letters.map(({ reason }) => reason), unhandled: [...unhandled] };
}

const FAILED = { rows: [], reasons: [expect.stringContaining("no such table: nowhere")], unhandled: [] };

test.each<[what: string, use: Use]>([
  ["the last thing a handler does", (tx) => void tx.run(BAD)],
  ["followed by one that is awaited", (tx) => (void tx.run(BAD), tx.run(GOOD))],
  ["behind one that is awaited", async (tx) => (await tx.run(GOOD), void tx.run(BAD))],
  ["followed by a wait for something else", async (tx) => (void tx.get(BAD), await new Promise(setImmediate))],
  ["one of several", (tx) => void [tx.run(GOOD), tx.all(BAD), tx.run(GOOD)]],
])("a statement that nobody awaits, %s, fails the unit of work where it fails, and ends no process", async (_, use) => {
  expect(await handledBy(use)).toEqual(FAILED);
});

test("statements that nobody awaits are part of the unit of work where they succeed", async () => {
  expect(await handledBy((tx) => void [tx.run(GOOD), tx.run(GOOD)])).toEqual({
    rows: [{ id: "good" }, { id: "good" }],
    reasons: [],
    unhandled: [],
  });
});

test.each<[what: string, use: Use]>([
  ["at once", (tx) => tx.run(BAD).catch(() => undefined)],
  [
    "by an await",
    async (tx) => {
      try {
        await tx.run(BAD);
      } catch {
        // known
      }
    },
  ],
  [
    "later",
    async (tx) => {
      const bad = tx.run(BAD);
      await tx.run("select 1");
      await bad.catch(() => undefined);
    },
  ],
  ["with others", (tx) => Promise.allSettled([tx.run(BAD), tx.get(BAD).finally(() => undefined)])],
])("a handler that hears of a failed statement %s may go on", async (_, use) => {
  const goOn: Use = async (tx) => (await use(tx), await tx.run(GOOD));
  expect(await handledBy(goOn)).toEqual({ rows: [{ id: "good" }], reasons: [], unhandled: [] });
});

test("a transaction from outside fails with what nobody awaited in it", async () => {
  await using app = await appOf([service("ordering", () => undefined)]);
  const transaction = app.bus.as("ordering").transaction(async ({ tx }) => void tx.run(BAD));
  await expect(transaction).rejects.toThrow("no such table: nowhere");
});
