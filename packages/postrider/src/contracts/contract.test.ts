import { expect, test } from "vitest";
import { z } from "zod";
import { isPostriderError } from "../base/errors.ts";
import { command, contextOf, event } from "./contract.ts";

const schema = z.object({ orderId: z.string() });

test("a contract is data that cannot change", () => {
  const upcast = { 1: (body: unknown) => body };
  const contract = event("order.placed", { version: 2, schema, upcast, sensitive: ["orderId"] });
  expect(contract).toMatchObject({ kind: "event", name: "order.placed", version: 2, ordered: false, sensitive: ["orderId"] });
  for (const part of [contract, contract.upcast, contract.alsoAs, contract.sensitive]) expect(Object.isFrozen(part)).toBe(true);
  expect(contextOf(contract.name)).toBe("order");
});

test("a contract with mistakes names all of them at once", () => {
  const make = (): unknown => command("Order", { version: 0, schema: {} as never, reply: 1 as never, ordered: true, expiresAfterMs: -1 });
  expect(make).toThrow(/dotted lower case.*whole number from 1.*schema of Order.*reply of Order.*ordered but has no key.*expiresAfterMs/s);
});

const identity = (body: unknown): unknown => body;

test.each([
  ["a version that is not older", { version: 2, upcast: { 2: identity } }, /cannot upcast from v2/],
  ["something that is no version", { version: 2, upcast: { first: identity } }, /cannot upcast from vfirst/],
  ["a chain with a hole", { version: 4, upcast: { 1: identity, 3: identity } }, /upcasts from v1 to v2, but not on to v4/],
  ["a copy of a newer version", { version: 2, alsoAs: { 3: identity } }, /only as older versions, not v3/],
])("an upcast or copy of %s is a mistake", (_name, options, message) => {
  expect(() => event("order.placed", { schema, ...(options as object) })).toThrow(message);
});

test("a version belongs into the version, not into the name", () => {
  expect(() => event("member.updated.v1", { schema })).toThrow(/must not end in a version/);
  let thrown: unknown;
  try {
    event("x", { schema });
  } catch (error) {
    thrown = error;
  }
  expect(isPostriderError(thrown, "PR_CONFIG_INVALID")).toBe(true);
});
