import { expect, test } from "vitest";
import { finishedOf, Slots } from "./slots.ts";
import type { Slot } from "./slots.ts";

function handedOver(slots: Slots, offsets: readonly number[]): Map<number, Slot> {
  return new Map(offsets.map((offset) => [offset, slots.add(offset, offset * 10)]));
}

test("only the finished prefix is committed, whatever is finished beyond it", () => {
  const slots = new Slots(5);
  const open = handedOver(slots, [5, 6, 7, 8]);
  expect([slots.prefix, slots.undone]).toEqual([5, 4]);
  slots.finish(open.get(6)!);
  slots.finish(open.get(8)!);
  expect([slots.prefix, slots.undone, slots.length]).toEqual([5, 2, 4]);
  slots.finish(open.get(5)!);
  expect([slots.prefix, slots.undone]).toEqual([7, 1]);
  slots.finish(open.get(7)!);
  slots.finish(open.get(7)!);
  expect([slots.prefix, slots.undone, slots.length]).toEqual([9, 0, 0]);
});

test("offsets with gaps, as compaction and markers leave them, are no obstacle", () => {
  const slots = new Slots(0);
  const open = handedOver(slots, [3, 100]);
  slots.finish(open.get(3)!);
  expect(slots.prefix).toBe(100);
  slots.finish(open.get(100)!);
  slots.pass(150);
  expect(slots.prefix).toBe(150);
});

test("what is passed over does not move the prefix past what is open", () => {
  const slots = new Slots(0);
  handedOver(slots, [0]);
  slots.pass(50);
  expect(slots.prefix).toBe(0);
});

test("the metadata of a commit tells a successor what is finished beyond the prefix", () => {
  const slots = new Slots(10);
  const open = handedOver(slots, [10, 11, 12, 40, 41]);
  for (const offset of [11, 40]) slots.finish(open.get(offset)!);
  const isFinished = finishedOf(slots.metadata(), slots.prefix);
  expect([10, 11, 12, 40, 41, 42, 9].map(isFinished)).toEqual([false, true, false, true, false, false, false]);
});

test("metadata is left out where nothing is finished beyond the prefix, or too much is open", () => {
  const slots = new Slots(0);
  const open = handedOver(
    slots,
    Array.from({ length: 1000 }, (_, at) => at),
  );
  expect(slots.metadata()).toBe("");
  slots.finish(open.get(999)!);
  expect(slots.metadata()).toBe("");
  for (let at = 500; at < 999; at++) slots.finish(open.get(at)!);
  for (let at = 1; at < 400; at++) slots.finish(open.get(at)!);
  expect(slots.metadata().length).toBeGreaterThan(0);
  expect(slots.metadata().length).toBeLessThan(4096);
});

test.for([null, undefined, "", "something else", "pr1", "pr1;", "x;1;2"])("the metadata %s of somebody else means nothing", (metadata) => {
  expect([0, 1, 2].map(finishedOf(metadata, 0))).toEqual([false, false, false]);
});

test("a million finished behind one open cost little to remember", () => {
  const slots = new Slots(0);
  slots.add(0, 0);
  for (let at = 1; at < 1_000_000; at++) slots.finish(slots.add(at, at));
  expect([slots.prefix, slots.undone, slots.length]).toEqual([0, 1, 1_000_000]);
  expect(finishedOf(slots.metadata(), 0)(999_999)).toBe(true);
});
