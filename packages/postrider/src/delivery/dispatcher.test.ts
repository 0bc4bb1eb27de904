import { expect, test } from "vitest";
import { VirtualClock } from "../base/virtual-clock.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { Startable } from "./dispatcher.ts";
import { OutageMode } from "./outage.ts";

interface Item extends Startable {
  readonly name: string;
}

function set(options: { concurrency?: number; ratePerSecond?: number; outageAfter?: number } = {}): {
  clock: VirtualClock;
  dispatcher: Dispatcher<Item>;
  started: string[];
  add: (name: string, isHigh?: boolean) => void;
  changes: string[];
} {
  const clock = new VirtualClock();
  const started: string[] = [];
  const changes: string[] = [];
  const dispatcher = new Dispatcher<Item>({
    clock,
    concurrency: options.concurrency ?? 100,
    ratePerSecond: options.ratePerSecond ?? 0,
    outage: new OutageMode({ after: options.outageAfter ?? 0, probeMs: 1000, maxProbeMs: 4000 }),
    onOutage: (change) => changes.push(change),
  });
  return {
    clock,
    dispatcher,
    started,
    changes,
    add: (name, isHigh = false) => dispatcher.add({ name, isHigh, start: () => void started.push(name) }),
  };
}

test("no more run at a time than there are places, high priority first", () => {
  const { dispatcher, started, add } = set({ concurrency: 1 });
  add("first");
  add("second");
  add("urgent", true);
  expect(started).toEqual(["first"]);
  dispatcher.release();
  dispatcher.release();
  expect(started).toEqual(["first", "urgent", "second"]);
});

test("no more start per second than the rate allows", async () => {
  const { clock, started, add } = set({ ratePerSecond: 10 });
  for (let n = 0; n < 30; n++) add(`${n}`);
  expect(started.length).toBe(10);
  await clock.advance(500);
  expect(started.length).toBe(15);
  await clock.advance(1500);
  expect(started.length).toBe(30);
});

test("in an outage nothing starts but one probe after the wait, and its success lets all through", async () => {
  const { clock, dispatcher, started, add, changes } = set({ outageAfter: 2 });
  add("a");
  add("b");
  dispatcher.report("E", false);
  dispatcher.report("E", false);
  dispatcher.release();
  dispatcher.release();
  add("c");
  add("d");
  expect([started, changes]).toEqual([["a", "b"], ["began"]]);
  await clock.advance(1000);
  expect(started).toEqual(["a", "b", "c"]);
  dispatcher.report(undefined, true);
  expect([started, changes]).toEqual([
    ["a", "b", "c", "d"],
    ["began", "over"],
  ]);
});

test("a failed probe is followed by the next one after a longer wait", async () => {
  const { clock, dispatcher, started, add } = set({ outageAfter: 1 });
  add("a");
  dispatcher.report("E", false);
  dispatcher.release();
  add("b");
  add("c");
  await clock.advance(1000);
  dispatcher.report("E", true);
  dispatcher.probeEnded();
  dispatcher.release();
  expect(started).toEqual(["a", "b"]);
  await clock.advance(1999);
  expect(started).toEqual(["a", "b"]);
  await clock.advance(1);
  expect(started).toEqual(["a", "b", "c"]);
});

test("a probe that says nothing, because its message was done already, is followed by another", async () => {
  const { clock, dispatcher, started, add } = set({ outageAfter: 1 });
  add("a");
  dispatcher.report("E", false);
  dispatcher.release();
  add("b");
  add("c");
  await clock.advance(1000);
  dispatcher.probeEnded();
  dispatcher.release();
  await clock.advance(1000);
  expect(started).toEqual(["a", "b", "c"]);
});

test("stopped, it starts nothing and gives back what had not started", () => {
  const { dispatcher, started, add } = set({ concurrency: 1 });
  ["a", "b", "c"].forEach((name) => add(name));
  expect(dispatcher.stop().map(({ name }) => name)).toEqual(["b", "c"]);
  dispatcher.release();
  expect(started).toEqual(["a"]);
});
