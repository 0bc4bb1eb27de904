import { expect, test } from "vitest";
import { redact } from "./redact.ts";

const body = {
  email: "kim@example.org",
  total: 5,
  customer: { email: "lee@example.org", name: "Lee" },
  items: [{ sku: "a", gift: { note: "x" } }, { sku: "b" }],
  none: null,
};

test.each([
  ["nothing", [], body],
  ["a name, at every depth", ["email"], { ...body, email: "[redacted]", customer: { email: "[redacted]", name: "Lee" } }],
  ["a path, only there", ["customer.email"], { ...body, customer: { email: "[redacted]", name: "Lee" } }],
  ["a path within a list", ["items.gift.note"], { ...body, items: [{ sku: "a", gift: { note: "[redacted]" } }, { sku: "b" }] }],
  ["a whole object", ["customer"], { ...body, customer: "[redacted]" }],
  ["what is null, too", ["none"], { ...body, none: "[redacted]" }],
  ["a name that is not there", ["phone"], body],
])("hides %s", (_, sensitive, expected) => {
  const before = structuredClone(body);
  expect(redact(body, sensitive)).toEqual(expected);
  expect(body).toEqual(before);
});

test("what is no object stays as it is", () => {
  for (const value of [null, undefined, 1, "text", true]) expect(redact(value, ["email"])).toBe(value);
});
