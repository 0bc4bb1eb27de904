import { expect, test } from "vitest";
import { z } from "zod";
import { countedIds } from "../base/ids.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { command, event } from "../contracts/contract.ts";
import { checkEnvelope } from "./check.ts";
import type { Envelope, Outgoing } from "./envelope.ts";
import { inboxIdOf, newIdentity, runIdentity } from "./identity.ts";
import type { Identify } from "./identity.ts";
import { bodyText, destinationOf, draft } from "./outgoing.ts";
import type { OutgoingFacts } from "./outgoing.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const Placed = event("order.placed", {
  schema: z.object({ orderId: z.string(), total: z.number().default(0) }),
  key: (order) => order.orderId,
});
const cause: Envelope = {
  id: "m-0",
  source: "/gateway",
  type: "order.place",
  kind: "command",
  contractversion: 1,
  time: "2026-01-01T00:00:00.000Z",
  conversationid: "talk",
  correlationid: "business",
  tenant: "acme",
};

function facts(more: Partial<OutgoingFacts> = {}): OutgoingFacts {
  return { service: "ordering", nowMs: NOW_MS, identify: newIdentity(countedIds(new VirtualClock())), maxBodyBytes: 1000, ...more };
}

function only(...parameters: Parameters<typeof draft>): Outgoing {
  const { id, messages } = draft(...parameters);
  const [message, ...others] = messages as readonly Outgoing[];
  expect(others).toEqual([]);
  expect(message!.envelope.id).toBe(id);
  expect(checkEnvelope(message!.envelope)).toBe(message!.envelope);
  return message!;
}

test("a message carries who sent it, when, under which key, and starts a conversation of its own", () => {
  const { envelope, ...rest } = only(Placed, { orderId: "o-1" }, facts());
  expect(rest).toEqual({
    destination: "order.events",
    mayRepeat: false,
    headers: Object.create(null) as object,
    body: `{"orderId":"o-1"}`,
  });
  expect(envelope).toEqual({
    id: envelope.id,
    source: "/ordering",
    type: "order.placed",
    kind: "event",
    contractversion: 1,
    time: "2026-01-01T00:00:00.000Z",
    partitionkey: "o-1",
    correlationid: envelope.id,
    conversationid: envelope.id,
  });
});

test("a caused message continues its cause's thread, conversation and tenant", () => {
  const { envelope } = only(Placed, { orderId: "o-1" }, facts({ cause }));
  expect(envelope).toMatchObject({ causationid: "m-0", correlationid: "business", conversationid: "talk", tenant: "acme" });
  const { conversationid: _talk, correlationid: _business, tenant: _acme, ...bare } = cause;
  expect(only(Placed, { orderId: "o-1" }, facts({ cause: bare })).envelope).toMatchObject({ correlationid: "m-0", conversationid: "m-0" });
});

test("the sender's options go before the contract's and the cause's", () => {
  const Urgent = command("payment.charge", { schema: z.object({}), priority: () => "high", expiresAfterMs: 1000 });
  expect(only(Urgent, {}, facts()).envelope).toMatchObject({ priority: "high", expirytime: "2026-01-01T00:00:01.000Z" });
  const options = {
    id: "mine",
    correlationId: "c",
    tenant: "t",
    priority: "normal",
    expiresAfterMs: 5000,
    headers: { "x-mine": "1" },
  } as const;
  const message = only(Urgent, {}, facts({ cause, replyTo: "inbox", leavesAtMs: NOW_MS + 1000, trace: { traceparent: "00-1" } }), options);
  expect(message).toMatchObject({ destination: "payment.commands", mayRepeat: true, headers: { "x-mine": "1" } });
  expect(message.envelope).toMatchObject({
    id: "mine",
    correlationid: "c",
    tenant: "t",
    expirytime: "2026-01-01T00:00:06.000Z",
    replyto: "inbox",
    traceparent: "00-1",
  });
  expect(message.envelope).not.toHaveProperty("priority");
});

test("what travels is what the sender gave, so that a transform runs once, where it is read", () => {
  const Priced = event("order.priced", {
    schema: z.object({ cents: z.number().transform((cents) => cents * 100) }),
    key: (order) => String(order.cents),
  });
  const message = only(Priced, { cents: 5 }, facts());
  expect(message.body).toBe(`{"cents":5}`);
  expect(message.envelope.partitionkey).toBe("500");
});

test("older versions are published beside it, tied to it by id, and each knows the others", () => {
  const Updated = event("member.updated", {
    version: 3,
    schema: z.object({ id: z.string(), name: z.string() }),
    key: (member) => member.id,
    alsoAs: { 1: ({ name }) => ({ n: name }), 2: ({ id }) => ({ id }) },
  });
  const [message, v2, v1] = draft(Updated, { id: "m", name: "Kim" }, facts()).messages as readonly Outgoing[];
  expect(message!.envelope).toMatchObject({ contractversion: 3, adaptedto: "2 1" });
  expect(v2!.envelope).toMatchObject({ contractversion: 2, adaptedfrom: message!.envelope.id, adaptedto: "3 1", partitionkey: "m" });
  expect(v1).toMatchObject({
    body: `{"n":"Kim"}`,
    mayRepeat: true,
    destination: "member.events",
    envelope: { contractversion: 1, adaptedto: "3 2" },
  });
  expect(new Set([message!, v2!, v1!].map((one) => inboxIdOf(one.envelope))).size).toBe(1);
  expect(new Set([message!, v2!, v1!].map((one) => one.envelope.id)).size).toBe(3);
});

test("ids of a run are the same in every run, whatever the order of the keys", () => {
  const run = { service: "ordering", handler: "order.place" };
  const ids = (identify: Identify, keys: readonly string[]): Record<string, string> =>
    Object.fromEntries(keys.map((orderId) => [orderId, only(Placed, { orderId }, facts({ identify })).envelope.id]));
  const first = ids(runIdentity(cause, run), ["a", "b", "c"]);
  expect(ids(runIdentity(cause, run), ["c", "a", "b"])).toEqual(first);
  expect(ids(runIdentity(cause, { ...run, generation: 1 }), ["a"])).not.toEqual({ a: first["a"] });
  expect(ids(runIdentity({ ...cause, id: "copy", adaptedfrom: "m-0" }, run), ["a"])).toEqual({ a: first["a"] });
  const twice = runIdentity(cause, run);
  expect(twice(Placed, "a")).not.toBe(twice(Placed, "a"));
});

test("with an asynchronous schema the id is known at once and the message later", async () => {
  const Checked = event("order.checked", {
    schema: z.object({ id: z.string().refine((id) => Promise.resolve(id !== "no")) }),
    key: (order) => order.id,
  });
  const good = draft(Checked, { id: "yes" }, facts());
  expect((await good.messages)[0]!.envelope).toMatchObject({ id: good.id, partitionkey: "yes" });
  await expect(draft(Checked, { id: "no" }, facts()).messages).rejects.toMatchObject({ code: "PR_BODY_INVALID" });
});

const circle: { self?: unknown } = {};
circle.self = circle;

test.each([
  ["a body that the schema refuses", { orderId: 5 }, "PR_BODY_INVALID"],
  ["a body without JSON form", circle, "PR_BODY_INVALID"],
  ["nothing", undefined, "PR_BODY_INVALID"],
  ["a bigint", { orderId: "o", big: 1n }, "PR_BODY_INVALID"],
  ["a body beyond the limit", { orderId: "o", note: "é".repeat(600) }, "PR_BODY_TOO_LARGE"],
  ["an empty key", { orderId: "" }, "PR_BODY_INVALID"],
  ["an endless key", { orderId: "o".repeat(3000) }, "PR_BODY_INVALID"],
])("%s is refused", (_name, body, code) => {
  const Loose = event("order.placed", {
    schema: z.any().refine((value) => (value as { orderId?: unknown } | undefined)?.orderId !== 5),
    key: (value) => (value as { orderId: string }).orderId,
  });
  expect(() => draft(Loose, body, facts())).toThrow(expect.objectContaining({ code }) as Error);
});

test("the limit of a body counts bytes, to the byte", () => {
  expect(bodyText(Placed, 1, "é".repeat(499), 1000)).toHaveLength(501);
  expect(() => bodyText(Placed, 1, "é".repeat(500), 1000)).toThrow(/1002 bytes; the limit is 1000/);
});

test("a key with a lone surrogate is made whole, so that every broker sees the same key", () => {
  expect(only(Placed, { orderId: "a\ud800" }, facts()).envelope.partitionkey).toBe("a\ufffd");
});

test.each([
  ["an empty id", { id: "" }, /id must be a text/],
  ["an endless id", { id: "x".repeat(201) }, /id must be a text/],
  ["a line break in an id", { correlationId: "a\r\nb" }, /correlationId must not hold line breaks/],
  ["an expiry that is none", { expiresAfterMs: Number.NaN }, /expiresAfterMs must be more than 0/],
  ["an unknown priority", { priority: "low" as "high" }, /priority must be/],
  ["a header's name with a space", { headers: { "a b": "1" } }, /visible ASCII/],
  ["an injected header", { headers: { a: "1\r\nce_tenant: evil" } }, /the header a must not hold line breaks/],
  ["our own header", { headers: { "ce-tenant": "evil" } }, /the header ce-tenant is Postrider's own/],
  ["a header that is no text", { headers: { a: 1 as unknown as string } }, /the header a must be a text/],
  ["too many bytes of headers", { headers: { a: "x".repeat(70_000) } }, /the limit is 65536/],
])("%s is refused", (_name, options, message) => {
  expect(() => draft(Placed, { orderId: "o" }, facts(), options)).toThrow(message);
});

test("every mistake in the options is told at once, and hostile header names pollute nothing", () => {
  expect(() => draft(Placed, { orderId: "o" }, facts(), { id: "", tenant: "", headers: { "": "" } })).toThrow(
    /PR_SEND_INVALID.*id must.*tenant must.*visible ASCII/,
  );
  const headers = JSON.parse(`{"__proto__":"x","constructor":"y"}`) as Record<string, string>;
  const message = only(Placed, { orderId: "o" }, facts(), { headers });
  expect(Object.keys(message.headers)).toEqual(["__proto__", "constructor"]);
});

test("a destination is the context and what it carries", () => {
  expect(destinationOf(Placed)).toBe("order.events");
});
