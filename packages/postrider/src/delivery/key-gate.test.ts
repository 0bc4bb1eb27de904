import { expect, test } from "vitest";
import { KeyGate } from "./key-gate.ts";

const item = (key: string | undefined, name: string): { key: string | undefined; name: string } => ({ key, name });

test("one item of a key passes at a time, the others in the order they came", () => {
  const gate = new KeyGate<ReturnType<typeof item>>();
  const [a1, a2, a3] = [item("a", "a1"), item("a", "a2"), item("a", "a3")];
  expect([gate.enter(a1), gate.enter(a2), gate.enter(a3)]).toEqual([true, false, false]);
  expect(gate.waiting).toBe(2);
  expect(gate.leave(a1)).toBe(a2);
  expect(gate.leave(a2)).toBe(a3);
  expect(gate.leave(a3)).toBeUndefined();
  expect(gate.enter(a1)).toBe(true);
});

test("other keys, and items without one, are not held up", () => {
  const gate = new KeyGate<ReturnType<typeof item>>();
  expect(gate.enter(item("a", "a1"))).toBe(true);
  expect(gate.enter(item("b", "b1"))).toBe(true);
  expect(gate.enter(item(undefined, "free"))).toBe(true);
  expect(gate.enter(item(undefined, "free too"))).toBe(true);
});

test("evicted items are gone, and the next of their key is one that stayed", () => {
  const gate = new KeyGate<ReturnType<typeof item>>();
  const [a1, a2, a3] = [item("a", "a1"), item("a", "a2"), item("a", "a3")];
  [a1, a2, a3].forEach((one) => gate.enter(one));
  expect(gate.evict((one) => one === a2)).toEqual([a2]);
  expect(gate.leave(a1)).toBe(a3);
});
