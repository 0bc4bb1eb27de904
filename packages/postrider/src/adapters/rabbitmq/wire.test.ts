import { expect, test } from "vitest";
import { NO_HEADERS } from "../../envelope/envelope.ts";
import type { Envelope, Outgoing } from "../../envelope/envelope.ts";
import { contentOf, publishOptionsOf, readMessage } from "./wire.ts";

const ENVELOPE: Envelope = {
  id: "m-1",
  source: "/shop",
  type: "order.placed",
  kind: "event",
  contractversion: 2,
  time: "2026-01-01T00:00:01.500Z",
  partitionkey: "k",
  correlationid: "c",
};

function outgoing(change: Partial<Outgoing> = {}): Outgoing {
  return { destination: "order.events", envelope: ENVELOPE, headers: NO_HEADERS, body: "{}", mayRepeat: false, ...change };
}

const { correlationid: _, ...WITHOUT_THREAD } = ENVELOPE;

function threadOf(id: string): Pick<Envelope, "id" | "correlationid" | "conversationid"> {
  return { id, correlationid: id, conversationid: id };
}

type Properties = Parameters<typeof readMessage>[0]["properties"];
const found = (properties: object, body: string | Uint8Array = "{}") =>
  readMessage({ properties: properties as Properties, content: contentOf(body) });

test("plain readers find what they look for in the properties, and CloudEvents readers in the headers", () => {
  const { headers, ...properties } = publishOptionsOf(outgoing());
  expect(properties).toEqual({
    mandatory: false,
    deliveryMode: 2,
    contentType: "application/json",
    contentEncoding: "utf-8",
    messageId: "m-1",
    correlationId: "c",
    type: "order.placed",
    appId: "/shop",
    timestamp: 1_767_225_601,
  });
  expect({ ...(headers as object) }).toMatchObject({
    "cloudEvents:specversion": "1.0",
    "cloudEvents:contractversion": "2",
  });
});

test("texts that are too long for a property are only in the headers", () => {
  const id = "ü".repeat(200);
  const options = publishOptionsOf(outgoing({ envelope: { ...ENVELOPE, id } }));
  expect(options.messageId).toBeUndefined();
  expect((options.headers as Record<string, unknown>)["cloudEvents:id"]).toBe(id);
});

test("a message that nothing caused says only in a property whose thread and conversation it is: its own", () => {
  const envelope = { ...ENVELOPE, correlationid: ENVELOPE.id, conversationid: ENVELOPE.id };
  const options = publishOptionsOf(outgoing({ envelope }));
  expect(options.correlationId).toBe("m-1");
  const names = Object.keys(options.headers as object);
  expect(names.filter((name) => name.endsWith("correlationid") || name.endsWith("conversationid"))).toEqual([]);
  expect(found(options).envelope).toEqual(envelope);
});

test("messages from before, with both in headers, are read as they were", () => {
  const options = publishOptionsOf(outgoing());
  const headers = { ...(options.headers as object), "cloudEvents:correlationid": "m-1", "cloudEvents:conversationid": "m-1" };
  expect(found({ ...options, headers, correlationId: "m-1" }).envelope).toEqual({
    ...ENVELOPE,
    correlationid: "m-1",
    conversationid: "m-1",
  });
  expect(found({ ...options, headers: { ...headers, "cloudEvents:conversationid": undefined } }).envelope).toEqual({
    ...ENVELOPE,
    correlationid: "m-1",
  });
});

test.for([
  ["texts", {}],
  ["the start of a thread, with an id too long for a property", { envelope: { ...ENVELOPE, ...threadOf("i".repeat(300)) } }],
  ["a thread of its own in another's conversation", { envelope: { ...ENVELOPE, ...threadOf("m-1"), conversationid: "c-1" } }],
  ["no thread", { envelope: WITHOUT_THREAD }],
  ["bytes among the headers", { headers: { text: "t", bytes: Uint8Array.of(0, 255) } }],
  ["another content type", { envelope: { ...ENVELOPE, datacontenttype: "application/xml" } }],
  ["a repetition", { mayRepeat: true }],
] as const)("a message comes back as it was sent: %s", ([, change]) => {
  const sent = outgoing(change);
  const read = found(publishOptionsOf(sent));
  expect(read.envelope).toEqual(sent.envelope);
  expect({ ...read.headers }).toEqual({ ...sent.headers });
  expect(read.mayRepeat).toBe(sent.mayRepeat);
});

test("a foreign message has its properties beside its headers, which win, and other types as texts", () => {
  const { envelope, headers, body } = found({
    headers: { type: "from a header", count: 7, isNew: true, at: { "!": "timestamp", value: 12 }, list: [1, "two"], nothing: undefined },
    type: "from a property",
    messageId: "id-1",
    contentType: "application/json",
  });
  expect(envelope).toBeUndefined();
  expect(body).toBe("{}");
  expect({ ...headers }).toEqual({
    type: "from a header",
    count: "7",
    isNew: "true",
    at: "12",
    list: '[1,"two"]',
    "message-id": "id-1",
    "content-type": "application/json",
  });
});

test.for([
  ["a version that is no number", { "cloudEvents:contractversion": "two" }],
  ["a time that is none", { "cloudEvents:time": "yesterday" }],
  ["another CloudEvents version", { "cloudEvents:specversion": "0.3" }],
] as const)("an envelope that cannot be read is none, and everything is kept: %s", ([, change]) => {
  const options = publishOptionsOf(outgoing());
  const headers = { ...(options.headers as object), ...change };
  const read = found({ ...options, headers });
  expect(read.envelope).toBeUndefined();
  expect(read.headers).toMatchObject(headers);
});

test("CloudEvents with the other prefix of AMQP are read too", () => {
  const { headers, ...properties } = publishOptionsOf(outgoing());
  const underscored = Object.fromEntries(
    Object.entries(headers as object).map(([name, value]) => [name.replace(":", "_"), value as string]),
  );
  expect(found({ ...properties, headers: underscored }).envelope).toEqual(ENVELOPE);
});
