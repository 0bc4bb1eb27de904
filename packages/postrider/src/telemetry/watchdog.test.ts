import { expect, test } from "vitest";
import { VirtualClock } from "../base/virtual-clock.ts";
import type { Alert } from "./alert.ts";
import { silentLogger } from "./json-logger.ts";
import { watch, watchdog } from "./watchdog.ts";
import type { Standing, Watched } from "./watchdog.ts";

const standing = (change: Partial<Standing> = {}): Standing => ({
  service: "mailing",
  destination: "order.events",
  backlog: 3,
  lastSettledMs: 0,
  isExcused: false,
  ...change,
});

test.each([
  ["a backlog without progress, for long enough", { backlogSinceMs: 1000, isStuck: false }, standing(), 31_000, true],
  ["the same, not long enough", { backlogSinceMs: 1000, isStuck: false }, standing(), 30_999, false],
  ["progress since", { backlogSinceMs: 1000, isStuck: true }, standing({ lastSettledMs: 20_000 }), 31_000, false],
  ["nothing to do", { backlogSinceMs: 1000, isStuck: true }, standing({ backlog: 0 }), 31_000, false],
  ["a backlog after a quiet hour", { backlogSinceMs: undefined, isStuck: false }, standing({ lastSettledMs: 5 }), 3_600_000, false],
  ["a reason that is told otherwise", { backlogSinceMs: 1000, isStuck: false }, standing({ isExcused: true }), 31_000, false],
  ["the first look", undefined, standing(), 1e9, false],
] satisfies [string, Watched | undefined, Standing, number, boolean][])("stuck or not: %s", (_, known, now, nowMs, isStuck) => {
  expect(watch(known, now, nowMs, 30_000).isStuck).toBe(isStuck);
});

test("a stuck subscription is told once, and once more when it goes on; a failing look changes nothing", async () => {
  const clock = new VirtualClock(0);
  const raised: Alert[] = [];
  let current = standing();
  let isBlind = false;
  const dog = watchdog({
    read: async () => (isBlind ? Promise.reject(new Error("blind")) : [current, standing({ service: "billing", backlog: 0 })]),
    stuckAfterMs: 10_000,
    alerter: { raise: (alert) => void raised.push(alert), close: async () => undefined },
    clock,
    logger: silentLogger,
  });
  dog.start();
  await clock.advance(9000);
  expect(dog.isStuck("mailing", "order.events")).toBe(false);
  await clock.advance(20_000);
  expect(dog.isStuck("mailing", "order.events")).toBe(true);
  expect(dog.isStuck("billing", "order.events")).toBe(false);
  isBlind = true;
  await clock.advance(5000);
  expect(dog.isStuck("mailing", "order.events")).toBe(true);
  isBlind = false;
  current = standing({ lastSettledMs: clock.now() });
  await clock.advance(3000);
  expect(raised.map(({ kind, service, destination }) => [kind, service, destination])).toEqual([
    ["stuck", "mailing", "order.events"],
    ["stuckOver", "mailing", "order.events"],
  ]);
  await dog.stop();
  expect(clock.pending).toBe(0);
});
