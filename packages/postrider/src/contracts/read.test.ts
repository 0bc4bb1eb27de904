import { expect, test } from "vitest";
import { z } from "zod";
import { isPromise } from "../base/deferred.ts";
import { command, event } from "./contract.ts";
import type { AnyContract } from "./contract.ts";
import { adaptedCopies, readableVersions, readBody, validateInput, validateReply } from "./read.ts";
import type { BodyReading } from "./read.ts";
import type { SchemaIssue, StandardSchema } from "./standard-schema.ts";

const Placed = event("order.placed", {
  version: 3,
  schema: z.object({ id: z.string(), total: z.number(), currency: z.string().default("EUR") }),
  upcast: { 1: (body) => ({ id: (body as { key: string }).key }), 2: (body) => ({ ...(body as object), total: 0 }) },
});

function now(reading: BodyReading | Promise<BodyReading>): BodyReading {
  if (isPromise(reading)) throw new Error("a synchronous schema must be read at once");
  return reading;
}

function refusing(...issues: readonly SchemaIssue[]): AnyContract {
  const schema: StandardSchema = { "~standard": { version: 1, vendor: "test", validate: () => ({ issues }) } };
  return event("order.placed", { schema });
}

test("a body of its own version is validated at once, with what the schema makes of it", () => {
  expect(now(readBody(Placed, 3, { id: "a", total: 5 }))).toEqual({ error: undefined, body: { id: "a", total: 5, currency: "EUR" } });
});

test("an older body climbs every step of the upcast", () => {
  expect(readableVersions(Placed)).toEqual([1, 2, 3]);
  expect(now(readBody(Placed, 1, { key: "a" }))).toMatchObject({ body: { id: "a", total: 0 } });
});

test.each([0, 4, 1.5, Number.NaN, -1])("version %s is not known", (version) => {
  expect(now(readBody(Placed, version, {})).error).toMatchObject({ code: "PR_VERSION_UNKNOWN", details: { known: "v1, v2, v3" } });
});

test("an upcast that throws makes the body invalid, and its error stays the cause", () => {
  const { error } = now(readBody(Placed, 1, null));
  expect(error).toMatchObject({ code: "PR_BODY_INVALID", cause: expect.any(TypeError) as unknown });
  expect(error!.message).toContain("its upcast failed (TypeError)");
});

test("what is wrong is said by path, never with the refused value", () => {
  const secret = "4111-1111-1111-1111";
  const contract = refusing(
    { message: `must be a number (was "${secret}")`, path: ["card", { key: "number" }] },
    { message: `Invalid type: Expected number but received "${secret}"`, path: ["card", "number"] },
    { message: `${secret} is no card number`, path: ["card", "number"] },
    { message: "line\r\nbreak \u202e", path: ["a\nb"] },
  );
  const { error } = now(validateInput(contract, { card: { number: secret } }));
  expect(error!.message).not.toContain(secret);
  expect(error!.details["issues"]).toBe(
    "card.number: must be a number; card.number: Invalid type: Expected number; card.number: … is no card number; a b: line  break  ",
  );
});

test("a long list of issues is cut, and each issue too", () => {
  const contract = refusing(...Array.from({ length: 9 }, () => ({ message: "x".repeat(1000), path: ["y".repeat(1000)] })));
  const issues = String(now(validateInput(contract, {})).error!.details["issues"]);
  expect(issues.length).toBeLessThan(2000);
  expect(issues).toMatch(/and 4 more$/);
});

test("a schema that throws, now or later, refuses the body", async () => {
  const throwing = (validate: () => Promise<never>): AnyContract => {
    const schema: StandardSchema = { "~standard": { version: 1, vendor: "test", validate } };
    return event("order.placed", { schema });
  };
  const boom = new Error("boom");
  expect(
    now(
      validateInput(
        throwing(() => {
          throw boom;
        }),
        {},
      ),
    ).error,
  ).toMatchObject({ code: "PR_BODY_INVALID", cause: boom });
  expect(
    (
      await validateInput(
        throwing(() => Promise.reject(boom)),
        {},
      )
    ).error,
  ).toMatchObject({ code: "PR_BODY_INVALID", cause: boom });
});

test("an asynchronous schema answers by promise", async () => {
  const contract = event("order.placed", { schema: z.object({ id: z.string().refine((id) => Promise.resolve(id !== "no")) }) });
  expect(await validateInput(contract, { id: "yes" })).toEqual({ error: undefined, body: { id: "yes" } });
  expect((await validateInput(contract, { id: "no" })).error).toMatchObject({ code: "PR_BODY_INVALID" });
});

test("a reply is validated by the reply's schema, and refused where there is none", () => {
  const asked = command("order.cancel", { schema: z.object({}), reply: z.object({ done: z.boolean() }) });
  expect(now(validateReply(asked, { done: true }))).toEqual({ error: undefined, body: { done: true } });
  expect(now(validateReply(asked, {})).error).toMatchObject({ code: "PR_BODY_INVALID", details: { contract: "order.cancel (reply)" } });
  expect(now(validateReply(Placed, {})).error).toMatchObject({ code: "PR_REPLY_UNEXPECTED" });
});

test("adapted copies are made newest first; one that cannot be made refuses the body", () => {
  const schema = z.object({ name: z.string() });
  const alsoAs = { 1: ({ name }: { name: string }) => ({ n: name }), 2: ({ name }: { name: string }) => ({ full: name }) };
  expect(adaptedCopies(event("member.updated", { version: 3, schema, alsoAs }), { name: "Kim" })).toEqual([
    { version: 2, body: { full: "Kim" } },
    { version: 1, body: { n: "Kim" } },
  ]);
  const broken = event("member.updated", {
    version: 2,
    schema,
    alsoAs: {
      1: () => {
        throw new Error("no");
      },
    },
  });
  expect(() => adaptedCopies(broken, { name: "Kim" })).toThrow(/PR_BODY_INVALID.*v1.*cannot be made from v2/);
  expect(adaptedCopies(Placed, {})).toEqual([]);
});

test("hostile names in a body pollute nothing", () => {
  const contract = event("order.placed", { schema: z.looseObject({}) });
  const body: unknown = JSON.parse(`{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}`);
  now(validateInput(contract, body));
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});
