import { expect, test } from "vitest";
import { memoryWorld } from "../adapters/memory/world.ts";
import type { MemoryWorld } from "../adapters/memory/world.ts";
import { fail, isPostriderError } from "../base/errors.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { service } from "../pipeline/service.ts";
import type { Service } from "../pipeline/service.ts";
import type { Store } from "../ports/store.ts";
import { appOf, OrderMoved } from "./app.test-support.ts";
import type { TestApp } from "./app.test-support.ts";

/** A database behind a store. */
class Database {
  isAway = false;
  /** Questions to the inbox: one for each message that is about to be handled. */
  checks = 0;
}

const lost = (): Error => fail("PR_STORE_FAILED", { store: "far", during: "a call", detail: "connection refused" }, { cause: "away" });

/** A store whose calls, and those of its parts, fail while its database is away. */
function farStore(store: Store, database: Database): Store {
  const guarded = <Part extends object>(part: Part, own: object = {}): Part =>
    new Proxy(part, {
      get(target, name) {
        if (Object.hasOwn(own, name)) return Reflect.get(own, name) as unknown;
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value === "object" && value !== null) return guarded(value);
        if (typeof value !== "function") return value;
        if (name === "open" || name === "close") return value.bind(target) as unknown;
        return (...given: readonly unknown[]): unknown => {
          if (name === "check") database.checks++;
          return database.isAway ? Promise.reject(lost()) : (value.call(target, ...given) as unknown);
        };
      },
    });
  return guarded(store, { isAway: (error: unknown) => isPostriderError(error, "PR_STORE_FAILED") && error.cause === "away" });
}

interface FarWorld {
  readonly clock: VirtualClock;
  readonly world: MemoryWorld;
  readonly database: Database;
}

function farWorld(): FarWorld {
  const clock = new VirtualClock();
  return { clock, world: memoryWorld({ clock }), database: new Database() };
}

/** A service on the far database, and one to send from whose store is always there. */
function appOn({ clock, world, database }: FarWorld, far: Service): Promise<TestApp> {
  const store = (name: string): Store => (name === far.name ? farStore(world.store(name), database) : world.store(name));
  return appOf([far, service("sender", () => undefined)], { clock, world, store });
}

/** One failure of its own, and a message is a dead letter. */
const STRICT = { retry: { immediate: 0, delayed: 0 } } as const;

/** Notes what it has handled; `before` may do harm. */
function moving(handled: string[], before: (name: string) => void = () => undefined, options: object = STRICT): Service {
  const handle: Parameters<typeof service>[1] = (on) =>
    on(OrderMoved, async ({ orderId, step }, { tx }) => {
      before(`${orderId}${step}`);
      await tx.run("create table if not exists moves (name text)");
      await tx.run("insert into moves values (?)", `${orderId}${step}`);
      handled.push(`${orderId}${step}`);
    });
  return service("moving", handle, options);
}

/** Lets the database go away when this message is handled for the first time. */
function goesAwayAt(name: string, database: Database): (handled: string) => void {
  let isFirst = true;
  return (handled) => {
    if (handled !== name || !isFirst) return;
    isFirst = false;
    database.isAway = true;
  };
}

async function publish(app: TestApp, names: readonly string[]): Promise<void> {
  await app.bus.as("sender").transaction(async ({ publish: add }) => {
    for (const name of names) add(OrderMoved, { orderId: name.slice(0, 1), step: Number(name.slice(1)) });
  });
}

/** How it looks to people: alerts, the state of the subscription, what is put off, what is given up. */
async function seenOf(app: TestApp): Promise<readonly unknown[]> {
  const { subscriptions } = await app.bus.health();
  const [held, letters] = [await app.bus.operations.held(), await app.bus.operations.deadLetters()];
  return [app.alerts.map(({ kind }) => kind), subscriptions[0]?.state, held, letters.map(({ code, attempts }) => [code, attempts])];
}

const ASKED_EVERY_MS = 1200; // with jitter

test("what fails because its store is away waits in its place, uncounted; when the store answers, all go on at once and in order", async () => {
  const far = farWorld();
  const handled: string[] = [];
  await using app = await appOn(far, moving(handled, goesAwayAt("a1", far.database)));
  await publish(app, ["a1", "b1", "a2", "b2", "a3", "b3"]);
  await app.pass(60_000);
  expect([handled, app.alerts.map(({ kind }) => kind)]).toEqual([[], ["outage"]]);
  expect((await app.bus.health()).subscriptions[0]).toMatchObject({ state: "outage", inFlight: 2 });
  far.database.isAway = false;
  await app.pass(ASKED_EVERY_MS);
  expect(handled).toEqual(["a1", "b1", "a2", "b2", "a3", "b3"]);
  expect(await seenOf(app)).toEqual([["outage", "outageOver"], "ok", [], []]);
});

test("it is known by what caused the error, too", async () => {
  const far = farWorld();
  const handled: string[] = [];
  const goAway = goesAwayAt("a1", far.database);
  const wrapping = moving(handled, (name) => {
    goAway(name);
    if (far.database.isAway) throw new Error("could not save", { cause: new Error("of a library", { cause: lost() }) });
  });
  await using app = await appOn(far, wrapping);
  await publish(app, ["a1", "a2"]);
  await app.pass(10_000);
  far.database.isAway = false;
  await app.pass(ASKED_EVERY_MS);
  expect([handled, await seenOf(app)]).toEqual([
    ["a1", "a2"],
    [["outage", "outageOver"], "ok", [], []],
  ]);
});

test("while the store is away nothing more begins", async () => {
  const far = farWorld();
  const handled: string[] = [];
  await using app = await appOn(far, moving(handled, goesAwayAt("a1", far.database)));
  await publish(app, ["b0", "c0", "d0"]); // their lanes are marked as taken beyond these
  await app.pass(1000);
  await publish(app, ["a1"]);
  await app.pass(10_000);
  const { checks } = far.database;
  await publish(app, ["b1", "c1", "d1"]);
  await app.pass(60_000);
  expect(far.database.checks).toBe(checks);
  far.database.isAway = false;
  await app.pass(ASKED_EVERY_MS);
  expect(handled.slice(3).toSorted()).toEqual(["a1", "b1", "c1", "d1"]);
});

test("a stop does not wait for a store that is away: what waits for it is given back, and comes again in order", async () => {
  const far = farWorld();
  const handled: string[] = [];
  const one = moving(handled, goesAwayAt("a1", far.database));
  const app = await appOn(far, one);
  await publish(app, ["a1", "b1", "a2"]);
  await app.pass(10_000);
  const stopsAtMs = far.clock.monotonicMs();
  await app[Symbol.asyncDispose]();
  expect(far.clock.monotonicMs() - stopsAtMs).toBeLessThan(1000); // of 30 000 for what runs
  far.database.isAway = false;
  await using later = await appOn(far, one);
  await later.pass(1000);
  expect([handled.toSorted(), handled.indexOf("a1") < handled.indexOf("a2")]).toEqual([["a1", "a2", "b1"], true]);
  expect(await seenOf(later)).toEqual([[], "ok", [], []]);
});

test("what waits for its store goes with its lane", async () => {
  const far = farWorld();
  const handled: string[] = [];
  await using app = await appOn(far, moving(handled, goesAwayAt("a1", far.database)));
  await publish(app, ["a1", "b1", "a2"]);
  await app.pass(10_000);
  far.world.loseLanes("moving", "order.events");
  await app.pass(10_000);
  expect((await app.bus.health()).subscriptions[0]?.inFlight).toBe(0);
  far.database.isAway = false;
  await app.pass(10_000);
  expect([handled.toSorted(), handled.filter((name) => name.startsWith("a"))]).toEqual([
    ["a1", "a2", "b1"],
    ["a1", "a2"],
  ]);
});

test("what fails by itself while the store is away is counted as before, once that can be written down", async () => {
  const far = farWorld();
  const handled: string[] = [];
  const goAway = goesAwayAt("a1", far.database);
  const failing = moving(handled, (name) => {
    goAway(name);
    if (name === "a1") throw new TypeError("a mistake");
  });
  await using app = await appOn(far, failing);
  await publish(app, ["a1", "b1"]);
  await app.pass(10_000);
  far.database.isAway = false;
  await app.pass(ASKED_EVERY_MS);
  expect([handled, await seenOf(app)]).toEqual([["b1"], [["outage", "outageOver", "deadLetter"], "ok", [], [["TypeError", 1]]]]);
});

test("a message that loses its connection each time, to a store that answers, fails in the end", async () => {
  const far = farWorld();
  let runs = 0;
  const losing = moving([], () => {
    runs++;
    throw lost();
  });
  await using app = await appOn(far, losing);
  await publish(app, ["a1"]);
  await app.pass(10_000);
  expect([runs, await seenOf(app)]).toEqual([11, [["deadLetter"], "ok", [], [["PR_STORE_FAILED", 1]]]]);
});

test("a held message whose store goes away again and again is not taken for one that ends its process", async () => {
  const far = farWorld();
  const handled: string[] = [];
  let runs = 0;
  const unlucky = moving(handled, () => {
    if (++runs === 1) throw new TypeError("a mistake, mended since");
    if (runs < 8) far.database.isAway = true;
  });
  await using app = await appOn(far, unlucky);
  await publish(app, ["a1"]);
  await app.pass(1000);
  await app.bus.operations.redrive((await app.bus.operations.deadLetters())[0]!.id);
  for (let round = 0; round < 8; round++) {
    await app.pass(5000);
    far.database.isAway = false;
  }
  await app.pass(5000);
  expect([handled, runs, await app.bus.operations.deadLetters()]).toEqual([["a1"], 8, []]);
});
