import { expect, test } from "vitest";
import { memoryWorld } from "../adapters/memory/world.ts";
import { fail } from "../base/errors.ts";
import { uuidv7Ids } from "../base/ids.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { unsentLetters } from "../deadletters/letter.ts";
import { NO_HEADERS } from "../envelope/envelope.ts";
import type { DeadLetter } from "../ports/dead-letters.ts";
import type { ScheduledMessage } from "../ports/schedule.ts";
import type { Store } from "../ports/store.ts";
import type { Outgoing } from "../envelope/envelope.ts";
import { silentLogger } from "../telemetry/json-logger.ts";
import { putRecurring } from "./recurrence.ts";
import { scheduler } from "./scheduler.ts";
import type { Scheduler, SchedulerOptions } from "./scheduler.ts";

const START = Date.UTC(2026, 0, 1);

function office() {
  const clock = new VirtualClock(START);
  const store = memoryWorld({ clock }).store("billing");
  const sent: { readonly id: string; readonly at: number }[] = [];
  const buried: DeadLetter[] = [];
  const run = (change: Partial<SchedulerOptions> = {}): Scheduler => {
    const made = scheduler({
      store,
      enlist: (transaction, batch) => {
        for (const { envelope } of batch) sent.push({ id: envelope.id, at: clock.now() - START });
        return transaction.outbox.append(batch);
      },
      letterOf: unsentLetters("billing", uuidv7Ids(clock)),
      onBuried: (letter) => void buried.push(letter),
      clock,
      logger: silentLogger,
      ...change,
    });
    made.start();
    return made;
  };
  const outbox = async (): Promise<readonly string[]> =>
    (await store.outbox.claim({ kind: "command", limit: 1000, owner: "test", leaseMs: 1 })).map(({ message }) => message.envelope.id);
  return { clock, store, sent, buried, run, outbox };
}

const message = (id: string): Outgoing => ({
  envelope: { id, source: "/billing", type: "report.make", kind: "command", contractversion: 1, time: new Date(START).toISOString() },
  headers: NO_HEADERS,
  body: "{}",
  destination: "report.commands",
  mayRepeat: false,
});
const put = (store: Store, id: string, afterMs: number): Promise<void> =>
  store.transaction((transaction) => transaction.schedule.put({ id, dueAt: START + afterMs, message: message(id) }));
const recur = (store: Store, clock: VirtualClock, cron: string): Promise<void> =>
  store.transaction((transaction) =>
    putRecurring(transaction, { id: "tick", message: message("template"), recurrence: { cron, timezone: "UTC" } }, clock.now()),
  );
function bound(store: Store, name: string | symbol): unknown {
  const value: unknown = Reflect.get(store, name, store);
  return typeof value === "function" ? (value.bind(store) as unknown) : value;
}
const entries = (store: Store): Promise<readonly ScheduledMessage[]> => store.schedule.list({ limit: 10 });

test("a message leaves when it is due, to the millisecond and never before, oldest first", async () => {
  const { clock, store, sent, run, outbox } = office();
  for (const [id, afterMs] of [
    ["b", 2500],
    ["a", 700],
    ["c", 2500],
  ] as const)
    await put(store, id, afterMs);
  const running = run();
  await clock.advance(10_000);
  expect(sent).toEqual([
    { id: "a", at: 700 },
    { id: "b", at: 2500 },
    { id: "c", at: 2500 },
  ]);
  expect(await outbox()).toEqual(["a", "b", "c"]);
  expect(await entries(store)).toEqual([]);
  await running.stop();
});

test("what this process schedules is seen at the wake, what another one schedules at the next look", async () => {
  const { clock, store, sent, run } = office();
  const running = run({ pollMs: 1000 });
  await clock.advance(300);
  await put(store, "woken", 400);
  running.wake();
  await clock.advance(350);
  await put(store, "found", 700);
  await clock.advance(2000);
  expect(sent).toEqual([
    { id: "woken", at: 400 },
    { id: "found", at: 1400 },
  ]);
  await running.stop();
});

test("what is due no sooner than the next look asks the store for nothing, and leaves in time", async () => {
  const { clock, store, sent, run } = office();
  let looks = 0;
  const schedule = { ...store.schedule, nextDueAt: () => (looks++, store.schedule.nextDueAt()) };
  const watched = new Proxy(store, { get: (target, name) => (name === "schedule" ? schedule : bound(target, name)) });
  await put(store, "a", 100);
  const running = run({ store: watched });
  await clock.advance(0);
  expect(looks).toBe(1);
  await put(store, "b", 300);
  running.wake(START + 300);
  await clock.advance(0);
  expect(looks).toBe(1);
  await put(store, "c", 50);
  running.wake(START + 50);
  await clock.advance(1000);
  expect(sent).toEqual([
    { id: "c", at: 50 },
    { id: "a", at: 100 },
    { id: "b", at: 300 },
  ]);
  await running.stop();
});

test("what is cancelled or put off leaves not at all or later", async () => {
  const { clock, store, sent, run } = office();
  for (const id of ["a", "b"]) await put(store, id, 1000);
  const running = run();
  await clock.advance(500);
  await store.transaction(async (transaction) => {
    await transaction.schedule.cancel("a");
    await transaction.schedule.reschedule("b", START + 3000);
  });
  await clock.advance(5000);
  expect(sent).toEqual([{ id: "b", at: 3000 }]);
  await running.stop();
});

test("what recurs leaves at each slot, once, however many schedulers run", async () => {
  const { clock, store, run, outbox } = office();
  await recur(store, clock, "*/10 * * * * *");
  const running = [run(), run(), run()];
  await clock.advance(60_000);
  const ids = await outbox();
  expect(ids).toHaveLength(6);
  expect(new Set(ids).size).toBe(6);
  expect((await entries(store)).map(({ dueAt }) => dueAt)).toEqual([START + 70_000]);
  await Promise.all(running.map((each) => each.stop()));
});

test("after a long sleep only the latest missed slot leaves, then the next ones at their time", async () => {
  const { clock, store, sent, run } = office();
  await recur(store, clock, "0 * * * *");
  await clock.advance(5.5 * 3_600_000);
  const running = run();
  await clock.advance(3_600_000);
  expect(sent.map(({ at }) => at / 3_600_000)).toEqual([5.5, 6]);
  await running.stop();
});

test("a program that declares its recurrence again at each start loses no slot that is due, and changes its pattern", async () => {
  const { clock, store, sent, run } = office();
  await recur(store, clock, "0 * * * *");
  await clock.advance(1.5 * 3_600_000);
  await recur(store, clock, "0 * * * *");
  expect((await entries(store)).map(({ dueAt }) => dueAt - START)).toEqual([3_600_000]);
  const running = run();
  await clock.advance(0);
  expect(sent).toHaveLength(1);
  await recur(store, clock, "45 * * * *");
  expect((await entries(store)).map(({ dueAt }) => dueAt - START)).toEqual([1.75 * 3_600_000]);
  await running.stop();
});

test("a message that can never leave becomes an unsent dead letter; the others of its batch leave, and what recurs goes on", async () => {
  const { clock, store, buried, run, outbox } = office();
  await recur(store, clock, "*/10 * * * * *");
  for (const id of ["a", "large", "b"]) await put(store, id, 10_000);
  const tooLarge = fail("PR_BODY_TOO_LARGE", { contract: "report.make", bytes: 2, limit: 1 });
  const running = run({
    enlist: (transaction, batch) => {
      if (batch.some(({ envelope }) => envelope.id === "large" || envelope.time === new Date(START + 20_000).toISOString())) throw tooLarge;
      return transaction.outbox.append(batch);
    },
  });
  await clock.advance(10_000);
  expect((await outbox()).filter((id) => id.length === 1)).toEqual(["a", "b"]);
  await clock.advance(20_000);
  expect(await store.deadLetters.count({ list: "unsent" })).toBe(2);
  expect(buried).toMatchObject([
    { messageId: "large", code: "PR_BODY_TOO_LARGE", destination: "report.commands" },
    { contract: "report.make" },
  ]);
  expect(await entries(store)).toMatchObject([{ id: "tick", dueAt: START + 40_000 }]);
  await running.stop();
});

test("an outage loses nothing: nothing is taken without being sent, and all of it leaves when it is over", async () => {
  const { clock, store, run, outbox } = office();
  let isDown = true;
  for (const id of ["a", "b"]) await put(store, id, 100);
  const running = run({
    enlist: (transaction, batch) => {
      if (isDown) throw fail("PR_STORE_FULL", { file: "shop.db" });
      return transaction.outbox.append(batch);
    },
  });
  await clock.advance(5000);
  expect(await entries(store)).toHaveLength(2);
  isDown = false;
  await clock.advance(1000);
  expect(await outbox()).toEqual(["a", "b"]);
  await running.stop();
});

test("an entry whose recurrence can no longer be read goes alone to the dead letters and holds nobody up", async () => {
  const { clock, store, buried, run, outbox } = office();
  await store.transaction((transaction) =>
    transaction.schedule.put({
      id: "odd",
      dueAt: START + 50,
      message: message("odd"),
      recurrence: { cron: "0 3 * * *", timezone: "Atlantis/Poseidonis" },
    }),
  );
  await put(store, "a", 50);
  const running = run();
  await clock.advance(100);
  expect(await outbox()).toEqual(["a"]);
  expect(buried).toMatchObject([{ messageId: "odd", code: "PR_CONFIG_INVALID", list: "unsent" }]);
  expect(await entries(store)).toEqual([]);
  await running.stop();
});

test("a stopped scheduler sends nothing and leaves no timer", async () => {
  const { clock, store, sent, run } = office();
  const running = run();
  await put(store, "a", 100);
  await clock.advance(10);
  await running.stop();
  running.wake();
  await clock.advance(10_000);
  expect([sent, clock.pending]).toEqual([[], 0]);
});
