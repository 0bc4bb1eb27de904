import { expect, test } from "vitest";
import { z } from "zod";
import { memoryWorld } from "../adapters/memory/world.ts";
import { command, event } from "../contracts/contract.ts";
import { service } from "../pipeline/service.ts";
import { sqlite } from "../presets/sqlite.ts";
import { appOf, OrderPlaced, PlaceOrder, PriceOrder } from "./app.test-support.ts";
import { createBus } from "./bus.ts";
import { nodeMistakes } from "./check-options.ts";

/** As JavaScript, or a cast, would call it. */
const loosely = (call: (...parameters: never[]) => unknown, ...parameters: unknown[]): unknown =>
  (call as (...parameters: unknown[]) => unknown)(...parameters);

const schema = z.object({ orderId: z.string() });
const idle = (): undefined => undefined;
const infrastructure = (): object => {
  const world = memoryWorld();
  return { commands: world.transport(), events: world.transport(), store: (name: string) => world.store(name) };
};

test.each<[what: string, make: () => unknown, says: RegExp]>([
  ["a contract without options", () => loosely(command, "a.b"), /the schema of a\.b must be a Standard Schema, such as zod's/],
  [
    "a contract's misspelled option",
    () => loosely(command, "a.b", { schema, keys: idle }),
    /command a\.b has no option "keys" \(it has .*key/,
  ],
  ["an event with a reply", () => loosely(event, "a.b", { schema, reply: schema }), /event a\.b has no option "reply"/],
  ["a name that is no text", () => loosely(event, undefined, { schema }), /must be dotted lower case/],
  ["a service without handlers", () => loosely(service, "s"), /s is given no handlers: service\("s", \(on\) =>/],
  ["a service's misspelled option", () => loosely(service, "s", idle, { concurency: 1 }), /service s has no option "concurency"/],
  ["a contract without handler", () => service("s", (on) => loosely(on, PlaceOrder)), /s is given no handler of order\.place/],
  ["a handler of a name", () => service("s", (on) => loosely(on, "order.place", idle)), /the first thing that `on` takes is a contract/],
  [
    "a handler's misspelled option",
    () => service("s", (on) => loosely(on, PlaceOrder, idle, { timeout: 1 })),
    /order\.place has no option "timeout"/,
  ],
  [
    "a misspelled retry",
    () => loosely(service, "s", idle, { retry: { delays: [1] } }),
    /retry of s has no option "delays" \(it has immediate, delayed/,
  ],
  [
    "a retry that is no number",
    () => service("s", idle, { retry: { delayed: Number.NaN } }),
    /immediate and delayed must be whole numbers/,
  ],
  [
    "a bus of nothing",
    () => loosely(createBus),
    /createBus must be an object; services must be a list.*nothing to run on: spread a preset/,
  ],
  [
    "a preset that is not spread",
    () => loosely(createBus, { services: [], sqlite: {} }),
    /createBus has no option "sqlite".*spread a preset/,
  ],
  [
    "a bus' misspelled option",
    () => loosely(createBus, { ...infrastructure(), services: [], drainMS: 1 }),
    /no option "drainMS" \(it has .*drainMs/,
  ],
  ["SQLite without file", () => loosely(sqlite), /sqlite takes the path of its file/],
  ["SQLite in memory", () => sqlite(":memory:"), /use memory\(\) from "postrider\/memory"/],
  ["SQLite by URL", () => sqlite("file:a.db"), /takes a path, not the URL/],
  ["SQLite's misspelled option", () => loosely(sqlite, "a.db", { wal: 1 }), /sqlite has no option "wal"/],
])("%s is refused, and the error says what to write", (_, make, says) => {
  expect(make).toThrow(expect.objectContaining({ code: "PR_CONFIG_INVALID", message: expect.stringMatching(says) as string }) as Error);
});

test.each(["20.20.2", "18.0.0"])("Node %s is too old, and told so", (version) => {
  expect(nodeMistakes(version)).toEqual([`Postrider runs on Node 22.22 and newer, and this is ${version}`]);
  expect(nodeMistakes("22.22.0")).toEqual([]);
});

test("calls that cannot mean anything say which they are and what to do", async () => {
  const pricing = service("pricing", (on) => {
    on(PlaceOrder, idle);
    on(PriceOrder, idle); // forgets its reply
    on(OrderPlaced, idle);
  });
  await using app = await appOf([pricing]);
  const shop = app.bus.as("pricing");
  const order = { orderId: "o-1", total: 1 };
  const said = async (promise: unknown): Promise<string> => {
    const caught = Promise.resolve(promise).then(String, (error: Error) => error.message);
    await app.pass(3000);
    return caught;
  };
  expect(await said(app.bus.start())).toMatch(/^PR_CONFIG_INVALID.*a bus starts once/);
  expect(await said(shop.send("order.place" as never, order as never))).toMatch(
    /^PR_SEND_INVALID.*order\.place cannot be sent: a contract is made by/,
  );
  expect(await said(shop.request(PlaceOrder as never, order as never))).toMatch(/^PR_REPLY_UNEXPECTED: order\.place has no reply schema/);
  expect(await said(shop.request(PriceOrder, order, { timeoutMs: Number.NaN }))).toMatch(/timeoutMs must be more than 0/);
  expect(await said(shop.schedule(PlaceOrder, order, undefined as never))).toMatch(/no valid time: say \{ at: new Date/);
  expect(await said(shop.request(PriceOrder, order))).toMatch(
    /^PR_REPLY_FAILED: pricing answered order\.price with a failure: PR_REPLY_MISSING: The handler[^:]*reply\.$/,
  );
});
