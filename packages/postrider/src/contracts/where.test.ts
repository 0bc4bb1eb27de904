import { expect, test } from "vitest";
import { compileWhere, whereMistakes } from "./where.ts";
import type { Where } from "./contract.ts";

const order = { total: 1_000_000, vip: true, note: null, customer: { tier: "gold" }, items: [{ sku: "a" }, { sku: "b" }], "": 1 };

const fitting: readonly (readonly [string, Where])[] = [
  ["a value", { total: 1_000_000 }],
  ["null", { note: null }],
  ["a path into an object", { "customer.tier": "gold" }],
  ["a path into a list", { "items.1.sku": "b" }],
  ["one of several", { "customer.tier": { in: ["silver", "gold"] } }],
  ["both bounds", { total: { gte: 1_000_000, lt: 1_000_001 } }],
  ["open bounds", { total: { gt: 999_999, lte: 1_000_000 } }],
  ["another value", { "customer.tier": { not: "silver" } }],
  ["not null", { vip: { not: null } }],
  ["presence, of null too", { note: { exists: true } }],
  ["absence", { coupon: { exists: false } }],
  ["several fields", { vip: true, "items.0.sku": "a", "customer.coupon": { exists: false } }],
];

test.each(fitting)("%s fits", (_name, where) => {
  expect(whereMistakes(where)).toEqual([]);
  expect(compileWhere(where)(order)).toBe(true);
});

const refusing: readonly (readonly [string, Where])[] = [
  ["a text that looks like the number", { total: "1000000" }],
  ["a bound on a text", { "customer.tier": { gte: 0 } }],
  ["`not` on an absent field", { coupon: { not: "x" } }],
  ["null for an absent field", { coupon: null }],
  ["absence of null", { note: { exists: false } }],
  ["an inherited function", { "customer.constructor": { exists: true } }],
  ["the length of a list, as of a text", { "customer.tier.length": 4 }],
  ["a path through null", { "note.x": { exists: true } }],
  ["one field of two", { vip: true, total: 5 }],
  ["a prototype", { "customer.__proto__": { exists: true } }],
];

test.each(refusing)("%s does not fit", (_name, where) => {
  expect(compileWhere(where)(order)).toBe(false);
});

test("no body breaks a condition", () => {
  const fits = compileWhere({ "a.b": 1 });
  for (const body of [null, undefined, 1, "text", [], { a: null }, { a: "b" }, Object.create(null)]) expect(fits(body)).toBe(false);
  expect(compileWhere({ "__proto__.polluted": { exists: true } })(JSON.parse(`{"__proto__":{"polluted":1}}`))).toBe(true);
});

test("a wrong condition says all that is wrong with it", () => {
  const wrong = {
    "a..b": 1,
    total: { gte: "5", about: 3 },
    vip: { exists: "yes" },
    tier: { in: [] },
    x: {},
    y: { exists: false, not: 1 },
    z: Number.NaN,
  };
  const mistakes = whereMistakes(wrong as unknown as Where);
  expect(mistakes).toHaveLength(8);
  expect(mistakes.join("\n")).toContain(`total has an unknown test "about"`);
  expect(whereMistakes({})).toHaveLength(1);
  expect(whereMistakes(null as unknown as Where)).toHaveLength(1);
});
