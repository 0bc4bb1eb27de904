import { expect, test } from "vitest";
import { hashOf } from "./ids.ts";
import { KeyMap } from "./key-map.ts";

test("a key is added once, and keeps its value until it is set or taken", () => {
  const map = new KeyMap<string | undefined>();
  expect([map.add("a", "first"), map.add("a", "second"), map.add("b", undefined), map.add("b", "second")]).toEqual([
    true,
    false,
    true,
    false,
  ]);
  expect([map.get("a"), map.get("b"), map.get("c"), map.size]).toEqual(["first", undefined, undefined, 2]);
  map.set("a", "third");
  map.set("c", "new");
  expect([map.take("a"), map.take("a"), map.take("c"), map.size]).toEqual(["third", undefined, "new", 1]);
});

test("keys that share a place are all found, whichever of them goes first", () => {
  const keys = crowded(6);
  for (const gone of keys) {
    const map = new KeyMap<string>();
    for (const key of keys) map.add(key, `of ${key}`);
    expect(map.take(gone)).toBe(`of ${gone}`);
    expect(keys.map((key) => map.get(key))).toEqual(keys.map((key) => (key === gone ? undefined : `of ${key}`)));
  }
});

test("it behaves as a map under any coming and going", () => {
  const map = new KeyMap<number>();
  const model = new Map<string, number>();
  const taken: (readonly [found: number | undefined, wanted: number | undefined])[] = [];
  let state = 7;
  for (let step = 0; step < 20_000; step++) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    const key = `key ${state % 499}`;
    const known = model.get(key);
    if (state % 7 < 3) {
      map.set(key, step);
      model.set(key, step);
    } else {
      taken.push([map.take(key), known]);
      model.delete(key);
    }
    expect(map.size).toBe(model.size);
  }
  expect(taken.filter(([found, wanted]) => found !== wanted)).toEqual([]);
  expect(new Map(map.entries())).toEqual(model);
});

/** Keys whose places in the smallest map are its last one and the first ones, so that what is moved goes round the end. */
function crowded(count: number): readonly string[] {
  const keys: string[] = [];
  for (let n = 0; keys.length < count; n++) if ([62, 63, 0].includes(hashOf(`k${n}`) % 64)) keys.push(`k${n}`);
  return keys;
}
