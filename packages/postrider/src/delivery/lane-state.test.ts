import { expect, test } from "vitest";
import { LaneState } from "./lane-state.ts";

const LANE = { service: "patient", destination: "order.commands", number: 3, epoch: 1 };
const fresh = { blocked: [], before: undefined };

test.each([
  { marked: "as this process marked it", marks: [110 + 256, 0], suspectsUpTo: 100 },
  { marked: "further, by whoever had it meanwhile", marks: [110 + 512, 0], suspectsUpTo: 110 + 512 },
  { marked: "less far, by whoever gave back what had not begun", marks: [90, 0], suspectsUpTo: 90 },
] as const)("a lost lane that comes back marked $marked", ({ marks, suspectsUpTo }) => {
  const before = new LaneState(LANE, { ...fresh, marks: [100, 0] });
  expect(before.raise(false, 110)).toBe(110 + 256);
  const again = new LaneState({ ...LANE, epoch: 2 }, { ...fresh, marks, before });
  expect([again.suspectsUpTo(false), again.suspectsUpTo(true)]).toEqual([suspectsUpTo, 0]);
});

test("what could not be marked leaves no proof: all of a lost lane that the store has as begun is suspect", () => {
  const before = new LaneState(LANE, { ...fresh, marks: [100, 0] });
  before.raise(false, 110);
  before.unmark();
  expect(new LaneState(LANE, { ...fresh, marks: [110 + 256, 0], before }).suspectsUpTo(false)).toBe(110 + 256);
});
