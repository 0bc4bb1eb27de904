import { expect, test } from "vitest";
import { deferred } from "../base/deferred.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { memoryWorld } from "../adapters/memory/world.ts";
import { service } from "../pipeline/service.ts";
import type { InboxEntry } from "../ports/inbox.ts";
import type { Store } from "../ports/store.ts";
import { appOf, PlaceOrder } from "./app.test-support.ts";
import type { TestApp } from "./app.test-support.ts";

/** An app that handles one order at a time, whose inbox answers to many together. */
interface Backlogged extends AsyncDisposable {
  readonly app: TestApp;
  /** What the inbox was asked, in order. */
  readonly asked: InboxEntry[];
  /** Orders whose handler ran. */
  readonly ran: string[];
  /** Messages whose next question fails. */
  readonly unanswered: Set<string>;
  readonly send: (id: string) => Promise<unknown>;
  /** Completes a message elsewhere. */
  readonly completeElsewhere: (id: string) => Promise<unknown>;
  /** Lets the first order end, which all others wait for. */
  readonly letGo: () => Promise<void>;
  readonly rows: () => Promise<readonly string[]>;
}

async function backlogged(): Promise<Backlogged> {
  const clock = new VirtualClock();
  const world = memoryWorld({ clock });
  const [asked, ran, unanswered, gate] = [[] as InboxEntry[], [] as string[], new Set<string>(), deferred()];
  const check = (store: Store, entry: InboxEntry) => {
    asked.push(entry);
    return unanswered.delete(entry.messageId) ? Promise.reject(new Error("no answer")) : store.inbox.check(entry);
  };
  const store = (name: string): Store => {
    const own = world.store(name);
    const inbox = { isShared: true, check: (entry: InboxEntry) => check(own, entry), count: () => own.inbox.count() };
    // Its methods go to the store itself, whose fields are private to it.
    const partOf = (target: Store, part: string | symbol): unknown => {
      const value: unknown = part === "inbox" ? inbox : Reflect.get(target, part, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    };
    return new Proxy(own, { get: partOf });
  };
  const ordering = service(
    "ordering",
    (on) =>
      on(PlaceOrder, async ({ orderId }, { tx }) => {
        ran.push(orderId);
        if (orderId === "first") await gate.promise;
        await tx.run("insert into orders values (?)", orderId);
      }),
    { concurrency: 1, inboxAlways: true },
  );
  const app = await appOf([ordering], { clock, world, store });
  const shop = app.bus.as("ordering");
  await shop.transaction(async ({ tx }) => void (await tx.run("create table orders (id text)")));
  const send = (id: string): Promise<unknown> => shop.send(PlaceOrder, { orderId: id, total: 1 }, { id });
  await send("first");
  return {
    app,
    asked,
    ran,
    unanswered,
    send,
    completeElsewhere: (id) => {
      const entry = asked.find(({ messageId }) => messageId === id)!;
      return world.store("ordering").transaction((tx) => tx.inbox.record(entry));
    },
    letGo: async () => {
      gate.resolve();
      await app.pass();
    },
    rows: async () => (await shop.read.all<{ id: string }>("select id from orders")).map(({ id }) => id),
    [Symbol.asyncDispose]: () => app[Symbol.asyncDispose](),
  };
}

test("the inbox is asked for messages that wait, all before their turn, and not again", async () => {
  await using place = await backlogged();
  for (const id of ["a", "b", "c"]) await place.send(id);
  await place.app.pass();
  const questions = (): string[] => place.asked.map(({ messageId }) => messageId).toSorted();
  expect([place.ran, questions()]).toEqual([["first"], ["a", "b", "c", "first"]]);
  await place.letGo();
  expect([place.ran, questions()]).toEqual([
    ["first", "a", "b", "c"],
    ["a", "b", "c", "first"],
  ]);
});

test("of copies that wait the first is asked for, and the later one in its turn: it does not run", async () => {
  await using place = await backlogged();
  for (const id of ["a", "a"]) await place.send(id);
  await place.app.pass();
  expect(place.asked.filter(({ messageId }) => messageId === "a")).toHaveLength(1);
  await place.letGo();
  expect([place.ran, await place.rows()]).toEqual([
    ["first", "a"],
    ["first", "a"],
  ]);
});

test("an answer that has grown old is asked for again: what was completed elsewhere meanwhile does not run", async () => {
  await using place = await backlogged();
  await place.send("a");
  await place.app.pass(1000);
  await place.completeElsewhere("a");
  await place.letGo();
  expect(place.ran).toEqual(["first"]);
});

test("what was completed elsewhere since a young answer leaves nothing when it runs", async () => {
  await using place = await backlogged();
  await place.send("a");
  await place.app.pass();
  await place.completeElsewhere("a");
  await place.letGo();
  expect([place.ran, await place.rows()]).toEqual([["first", "a"], ["first"]]);
  expect(await place.app.bus.operations.deadLetters()).toEqual([]);
});

test("an answer that failed is asked for again, and is nobody's failure", async () => {
  await using place = await backlogged();
  place.unanswered.add("a");
  await place.send("a");
  await place.app.pass();
  expect(place.unanswered.size).toBe(0);
  await place.letGo();
  expect([place.ran, await place.rows()]).toEqual([
    ["first", "a"],
    ["first", "a"],
  ]);
  expect(place.app.lines.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
});
