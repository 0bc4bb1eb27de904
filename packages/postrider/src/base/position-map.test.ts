import { expect, test } from "vitest";
import { PositionMap } from "./position-map.ts";

function holding(...positions: readonly number[]): PositionMap<string> {
  const map = new PositionMap<string>();
  for (const position of positions) map.set(position, `at ${position}`);
  return map;
}

test("positions come in their order, however they were added", () => {
  const map = holding(5, 9, 7, 1);
  expect([...map.positions()]).toEqual([1, 5, 7, 9]);
  expect([...map.values()]).toEqual(["at 1", "at 5", "at 7", "at 9"]);
  expect([map.oldest, map.size, map.has(7), map.has(8)]).toEqual([1, 4, true, false]);
});

test("what was taken out is gone, and can be put back in its place", () => {
  const map = holding(1, 2, 3);
  map.delete(2);
  map.delete(2);
  expect([[...map.positions()], map.size, map.has(2)]).toEqual([[1, 3], 2, false]);
  map.set(2, "again");
  map.delete(1);
  expect([[...map.values()], map.oldest, map.size]).toEqual([["again", "at 3"], 2, 2]);
});

test("a position that is set again keeps its place and changes its value", () => {
  const map = holding(1, 2);
  map.set(1, "changed");
  expect([[...map.values()], map.size]).toEqual([["changed", "at 2"], 2]);
});

test("it behaves as a sorted map under any coming and going", () => {
  const map = new PositionMap<number>();
  const model = new Map<number, number>();
  let state = 7;
  for (let step = 0; step < 20_000; step++) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    const position = step + (state % 97) - 48;
    if (state % 5 < 3) {
      map.set(position, step);
      model.set(position, step);
    } else {
      map.delete(position - 60);
      model.delete(position - 60);
    }
    expect(map.size).toBe(model.size);
  }
  const sorted = [...model].toSorted(([one], [other]) => one - other);
  expect([...map.positions()]).toEqual(sorted.map(([position]) => position));
  expect([...map.values()]).toEqual(sorted.map(([, value]) => value));
});
