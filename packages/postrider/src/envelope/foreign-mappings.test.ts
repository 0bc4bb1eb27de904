import { expect, test } from "vitest";
import type { Envelope, Headers } from "./envelope.ts";
import { cloudEventsIdentity } from "./foreign-cloudevents.ts";
import type { ForeignIdentity, ForeignMapping } from "./foreign.ts";
import { bodyIdentity, headerIdentity, mappings } from "./foreign-mappings.ts";
import { writeBody, writeHeaders } from "./foreign-writers.ts";

const envelope: Envelope = {
  id: "m-1",
  source: "/member",
  type: "member.updated",
  kind: "event",
  contractversion: 2,
  time: "2026-01-01T00:00:00.000Z",
  correlationid: "c-1",
  partitionkey: "k",
};

function fromHeaders(mapping: ForeignMapping, headers: Headers, body: unknown = {}): ForeignIdentity | undefined {
  return mapping({ envelope: undefined, headers, body: JSON.stringify(body) }, body);
}

function fromBody(body: unknown, mapping: ForeignMapping = bodyIdentity()): ForeignIdentity | undefined {
  return fromHeaders(mapping, {}, body);
}

test.each<[string, Headers]>([
  [
    "kebab",
    {
      "event-type": "member.updated",
      "event-version": "2",
      "event-id": "m-1",
      "correlation-id": "c-1",
      "content-type": "application/json",
    },
  ],
  ["snake", { event_type: "member.updated", event_version: "2.0", event_id: "m-1", correlation_id: "c-1" }],
  ["camel", { eventType: "member.updated", eventVersion: "v2", messageId: "m-1", correlationId: "c-1" }],
  ["bytes", { "Event-Type": Buffer.from("member.updated.v2"), "Message-Id": Buffer.from("m-1"), "Correlation-Id": Buffer.from("c-1") }],
])("an identity in headers is read in %s case", (_name, headers) => {
  expect(fromHeaders(headerIdentity(), headers)).toEqual({ type: "member.updated", version: 2, id: "m-1", correlationId: "c-1" });
});

test("headers may have names of the sender's own", () => {
  const mapping = headerIdentity({ names: { type: ["X-Kind"], id: [] }, types: { MEMBER_UPDATED: "member.updated.v3" } });
  expect(fromHeaders(mapping, { "x-kind": "MEMBER_UPDATED", "message-id": "not to be believed" })).toEqual({
    type: "member.updated",
    version: 3,
  });
});

test("tenants, attempts and routes of a foreign sender are not taken", () => {
  const headers = { "event-type": "a.b", tenant: "evil", "reply-to": "evil", attempt: "9", "x-death": "1", ce_tenant: "evil" };
  expect(fromHeaders(headerIdentity(), headers)).toEqual({ type: "a.b" });
});

const wrapped: readonly (readonly [string, unknown])[] = [
  [
    "snake case around a payload",
    { event_id: "m-1", event_type: "member.updated", occurred_at: "2026-01-01T00:00:00Z", version: "1.0", payload: { a: 1 } },
  ],
  [
    "camel case around data",
    { eventId: "m-1", eventType: "member.updated", occurredAt: "2026-01-01T00:00:00Z", version: 1, data: { a: 1 } },
  ],
  ["short names", { id: "m-1", type: "member.updated", timestamp: "2026-01-01T00:00:00Z", version: "v1", data: { a: 1 } }],
  ["a version in the type", { id: "m-1", type: "member.updated.v1", time: "2026-01-01T00:00:00Z", payload: { a: 1 } }],
];

test.each(wrapped)("an identity in the body is read in %s", (_name, body) => {
  expect(fromBody(body)).toEqual({ type: "member.updated", version: 1, id: "m-1", time: "2026-01-01T00:00:00Z", payload: { a: 1 } });
});

test("in a body without payload a bare id belongs to the business, not to the message", () => {
  // The id of a member as the id of each of its updates would make all but the first a repetition.
  expect(fromBody({ type: "member.updated", id: "member-7", version: 41 })).toEqual({ type: "member.updated" });
  expect(fromBody({ event_type: "member.updated", event_id: "m-1", id: "member-7", version: "2.1" })).toEqual({
    type: "member.updated",
    id: "m-1",
    version: 2,
  });
  expect(fromBody({ type: "member.updated", id: "m-1" }, bodyIdentity({ names: { id: ["id"] } }))).toEqual({
    type: "member.updated",
    id: "m-1",
  });
});

test("names may be paths, through own properties only", () => {
  const mapping = bodyIdentity({ names: { type: ["meta.kind"], id: ["meta.id", "constructor.name"], payload: ["content.body"] } });
  expect(fromBody({ meta: { kind: "a.b", id: 7 }, content: { body: [1] } }, mapping)).toEqual({ type: "a.b", id: "7", payload: [1] });
  expect(fromBody({ meta: { kind: "a.b" } }, mapping)).toEqual({ type: "a.b" });
});

test.each([
  [1_767_225_600, "2026-01-01T00:00:00.000Z"],
  [1_767_225_600_000, "2026-01-01T00:00:00.000Z"],
  ["2026-01-01T09:00:00+09:00", "2026-01-01T09:00:00+09:00"],
  ["Thu, 01 Jan 2026 00:00:00 GMT", "2026-01-01T00:00:00.000Z"],
  ["soon", undefined],
  [1e300, undefined],
  [-5, undefined],
])("the time %s is read as %s", (time, read) => {
  expect(fromBody({ event_type: "a.b", occurred_at: time })?.time).toBe(read);
});

test.each([null, 1, "text", [], {}, { type: 5n.toString() === "5" ? {} : 1 }, { type: "" }, { payload: 1 }])(
  "what has no type is not one of these",
  (body) => {
    expect(fromBody(body)).toBeUndefined();
  },
);

test.each(["__proto__", "constructor", "../../x", "toString"])("a type is only a text, and maps to nothing by accident: %s", (type) => {
  expect(fromBody(JSON.parse(`{"type":"${type}","data":1}`), bodyIdentity({ types: {} }))).toEqual({ type, payload: 1 });
});

test("the first mapping that fits is taken", () => {
  const both = mappings(headerIdentity(), bodyIdentity());
  expect(fromHeaders(both, { "event-type": "from.header" }, { type: "from.body" })?.type).toBe("from.header");
  expect(fromHeaders(both, {}, { type: "from.body" })?.type).toBe("from.body");
  expect(fromHeaders(both, {}, {})).toBeUndefined();
});

test("what is written for readers that know nothing of us has the names they know", () => {
  expect(writeHeaders(envelope)).toEqual({
    "content-type": "application/json",
    "event-id": "m-1",
    "event-type": "member.updated",
    "event-version": "2",
    "occurred-at": envelope.time,
    "correlation-id": "c-1",
    "partition-key": "k",
  });
  expect(writeBody(envelope, { a: 1 }, { case: "camel", hasVersionInType: true, payloadName: "data" })).toMatchObject({
    eventId: "m-1",
    eventType: "member.updated.v2",
    version: "2.0",
    data: { a: 1 },
  });
});

test.each(["snake", "camel", "kebab"] as const)("what is written in %s case is read back", (style) => {
  const identity = { type: "member.updated", version: 2, id: "m-1", time: envelope.time, correlationId: "c-1", key: "k" };
  for (const hasVersionInType of [true, false]) {
    expect(fromHeaders(headerIdentity(), writeHeaders(envelope, { case: style, hasVersionInType }))).toEqual(identity);
    expect(fromBody(writeBody(envelope, { a: 1 }, { case: style, hasVersionInType }))).toEqual({ ...identity, payload: { a: 1 } });
  }
});

const uuid = "0190b0a0-0000-7000-8000-000000000001";

test("CloudEvents of others are read in both modes; their id holds only with their source", () => {
  const attributes = { specversion: "1.0", id: "1", source: "/crm", type: "member.updated.v1", time: envelope.time, partitionkey: "k" };
  const identity = { type: "member.updated", version: 1, id: "/crm#1", time: envelope.time, key: "k" };
  const headers = Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`Ce-${name}`, value]));
  expect(fromHeaders(cloudEventsIdentity(), headers)).toEqual(identity);
  expect(fromBody({ ...attributes, data: { a: 1 } }, cloudEventsIdentity())).toEqual({ ...identity, payload: { a: 1 } });
  expect(fromBody({ ...attributes, data_base64: Buffer.from(`{"a":1}`).toString("base64") }, cloudEventsIdentity())?.payload).toEqual({
    a: 1,
  });
  expect(fromBody({ ...attributes, id: uuid }, cloudEventsIdentity())).toMatchObject({ id: uuid, payload: null });
  expect(fromBody({ ...attributes, specversion: "0.3" }, cloudEventsIdentity())).toBeUndefined();
  expect(fromHeaders(cloudEventsIdentity(), { ce_id: "1" })).toBeUndefined();
});
