import { expect, test } from "vitest";
import { OpenSet } from "./open-set.ts";

test("an open set holds what was added and not taken out, whatever the order", () => {
  const set = new OpenSet<{ place: number; readonly name: string }>();
  const items = ["a", "b", "c", "d"].map((name) => ({ name, place: -1 }));
  for (const item of items) set.add(item);
  set.delete(items[1]!);
  set.delete(items[1]!);
  set.delete(items[3]!);
  expect([set.size, set.filter(() => true).map(({ name }) => name)]).toEqual([2, ["a", "c"]]);
  set.add(items[1]!);
  expect(
    set
      .filter(({ name }) => name !== "a")
      .map(({ name }) => name)
      .toSorted(),
  ).toEqual(["b", "c"]);
});
