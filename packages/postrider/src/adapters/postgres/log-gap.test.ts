import { expect, test } from "vitest";
import { Gap, readableCount } from "./log-gap.ts";

test("positions without a gap are all readable", () => {
  expect(readableCount([4, 5, 6], 3, undefined)).toBe(3);
  expect(readableCount([], 3, undefined)).toBe(0);
});

test("nothing behind a missing position is readable while it may still come", () => {
  expect(readableCount([4, 6, 7], 3, undefined)).toBe(1);
  expect(readableCount([5], 3, new Gap(5))).toBe(0);
});

test("a gap is closed once everybody who held the lock when it was seen has let go, whoever holds it then", () => {
  const gap = new Gap(7);
  expect(gap.isClosed).toBe(false);
  gap.observe(["3/10", "4/11"]);
  expect(gap.isClosed).toBe(false);
  gap.observe(["4/11", "5/12"]);
  expect(gap.isClosed).toBe(false);
  gap.observe(["5/12", "6/13"]);
  expect(gap.isClosed).toBe(true);
  gap.observe(["4/11"]);
  expect(gap.isClosed).toBe(true);
});

test("a gap that nobody can fill is closed at the first look", () => {
  const gap = new Gap(7);
  gap.observe([]);
  expect(gap.isClosed).toBe(true);
});

test("a closed gap says nothing of what is missing beyond the highest position that was seen with it", () => {
  const gap = new Gap(7);
  gap.observe([]);
  expect(readableCount([5, 7, 8], 3, gap)).toBe(3);
  expect(readableCount([5, 7, 10], 3, gap)).toBe(2);
});
