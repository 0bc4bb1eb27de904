import { expect, test } from "vitest";
import { seededRandom } from "../base/random.ts";
import { ATTRIBUTE_PREFIXES, fromHeaders, isReservedHeader, toHeaders } from "./attributes.ts";
import type { HeadReading } from "./attributes.ts";
import { checkEnvelope, isTime } from "./check.ts";
import type { Envelope, Headers } from "./envelope.ts";

const plain: Envelope = {
  id: "m-1",
  source: "/ordering",
  type: "order.placed",
  kind: "event",
  contractversion: 2,
  time: "2026-01-01T00:00:00.000Z",
};
const full: Envelope = {
  ...plain,
  partitionkey: "주문 1%",
  correlationid: "c",
  causationid: "m-0",
  conversationid: "c-0",
  expirytime: "2026-01-02T00:00:00.000Z",
  tenant: "acme",
  adaptedfrom: "m-0",
  adaptedto: "1 3",
  priority: "high",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  tracestate: "a=b",
};

function readable(reading: HeadReading | undefined): Extract<HeadReading, { readonly unreadable: undefined }> {
  if (reading === undefined || reading.unreadable !== undefined) throw new Error(`unreadable: ${reading?.unreadable ?? "not ours"}`);
  return reading;
}

test.each(ATTRIBUTE_PREFIXES)("what is written behind %s is read back, with the user's own headers beside it", (prefix) => {
  for (const envelope of [plain, full, { ...plain, myextension: "x", datacontenttype: "application/avro" } as Envelope]) {
    const headers = toHeaders(envelope, prefix, { mine: "1", raw: Uint8Array.of(0, 255) });
    const reading = readable(fromHeaders(headers, prefix));
    expect(reading.envelope).toEqual(envelope);
    expect({ ...reading.headers }).toEqual({ mine: "1", raw: Uint8Array.of(0, 255) });
  }
});

test("attributes have their CloudEvents names, the trace its W3C names", () => {
  expect({ ...toHeaders(full, "ce_") }).toMatchObject({
    ce_specversion: "1.0",
    ce_id: "m-1",
    ce_contractversion: "2",
    ce_partitionkey: "주문 1%",
    "content-type": "application/json",
    traceparent: full.traceparent,
  });
  expect(toHeaders(full, "ce-")["ce-partitionkey"]).toBe("%EC%A3%BC%EB%AC%B8%201%25");
});

test("the user's headers never override an attribute", () => {
  expect(toHeaders(plain, "ce_", { ce_id: "forged", "content-type": "text/html" })).toMatchObject({
    ce_id: "m-1",
    "content-type": "application/json",
  });
});

test("HTTP writes names in any case, and Kafka gives bytes", () => {
  const http: Headers = Object.fromEntries(Object.entries(toHeaders(full, "ce-")).map(([name, value]) => [name.toUpperCase(), value]));
  expect(readable(fromHeaders(http, "ce-")).envelope).toEqual(full);
  const kafka: Headers = Object.fromEntries(
    Object.entries(toHeaders(full, "ce_")).map(([name, value]) => [name, Buffer.from(value as string)]),
  );
  expect(readable(fromHeaders(kafka, "ce_")).envelope).toEqual(full);
});

test("a message that is no CloudEvent, and one of somebody else's, are not ours", () => {
  expect(fromHeaders({ "content-type": "text/plain" }, "ce_")).toBeUndefined();
  expect(fromHeaders({ ce_specversion: "1.0", ce_id: "1", ce_source: "/x", ce_type: "order.placed" }, "ce_")).toBeUndefined();
});

const broken: readonly (readonly [string, Headers, string])[] = [
  ["an unknown kind", { ce_kind: "order" }, "kind must be command or event or reply"],
  ["no id", { ce_id: "" }, "id must be a text of 1 to 512 characters"],
  ["a version that is no number", { ce_contractversion: "2; drop" }, "contractversion must be a whole number from 1"],
  ["version 0", { ce_contractversion: "0" }, "contractversion must be a whole number from 1"],
  ["a fraction of a version", { ce_contractversion: "1.5" }, "contractversion must be a whole number from 1"],
  ["no time", { ce_time: "yesterday" }, "time must be a time like 2026-01-31T12:00:00Z"],
  ["an endless id", { ce_id: "x".repeat(10_000) }, "id must be a text of 1 to 512 characters"],
  ["another CloudEvents version", { ce_specversion: "0.3" }, "its CloudEvents version is not 1.0"],
  ["bytes that are not UTF-8", { ce_subject: Uint8Array.of(0xff) }, "the header of subject is not readable text"],
  ["a strange attribute", { "ce_a b": "x" }, "an attribute's name has other characters than a-z and 0-9"],
  ["an endless extension", { ce_more: "x".repeat(10_000) }, "more must be a text, a number or a boolean of at most 8192 characters"],
];

test.each(broken)("%s makes the envelope unreadable", (_name, headers, detail) => {
  expect(fromHeaders({ ...toHeaders(plain, "ce_"), ...headers }, "ce_")).toEqual({ unreadable: detail });
});

test("wrong percent-encoding makes it unreadable", () => {
  expect(fromHeaders({ ...toHeaders(plain, "ce-"), "ce-subject": "%zz" }, "ce-")).toEqual({
    unreadable: "the header of subject is not readable text",
  });
});

test("a head is the same object where all is well; null means absent; what is missing is named", () => {
  const head: unknown = JSON.parse(JSON.stringify(full));
  expect(checkEnvelope(head)).toBe(head);
  expect(checkEnvelope({ ...plain, tenant: null })).toEqual(plain);
  expect(checkEnvelope({ id: "1", time: plain.time, source: null })).toBe("source, type, kind, contractversion missing");
  const { type: _type, ...typeless } = full;
  expect(checkEnvelope(typeless)).toBe("type missing");
  for (const value of [null, 1, "text", [], undefined]) expect(checkEnvelope(value)).toBe("it is not an object");
  expect(checkEnvelope({ ...plain, contractversion: "2" })).toBe("contractversion must be a whole number from 1");
  expect(checkEnvelope({ ...plain, nested: {} })).toContain("nested must be a text");
  expect(checkEnvelope(JSON.parse(JSON.stringify(plain).replace("{", `{"__proto__":{"tenant":"evil"},`)))).toBe(
    "an attribute's name has other characters than a-z and 0-9",
  );
  expect(checkEnvelope(Object.fromEntries(Object.entries(plain).concat(Array.from({ length: 200 }, (_, at) => [`x${at}`, "1"]))))).toBe(
    "it has more than 100 attributes",
  );
});

test("times have a date, a time and a zone", () => {
  for (const time of ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.123456Z", "2026-01-31T12:00:00+09:00"]) expect(isTime(time)).toBe(true);
  for (const time of ["2026-01-31", "2026-13-31T12:00:00Z", "2026-01-31T12:00:00", "12:00", "", 5, null]) expect(isTime(time)).toBe(false);
});

test("our own names are closed to the user", () => {
  for (const name of ["ce_id", "CE-tenant", "cloudEvents:id", "cloudEvents_id", "Content-Type", "TraceParent", "baggage", "pr-starts"])
    expect(isReservedHeader(name)).toBe(true);
  for (const name of ["x-request-id", "certificate", "price", "id"]) expect(isReservedHeader(name)).toBe(false);
});

test("no headers at all make it throw or pollute anything", () => {
  const random = seededRandom(11);
  const names = [
    "ce_id",
    "ce_specversion",
    "ce_kind",
    "ce_contractversion",
    "ce___proto__",
    "ce_constructor",
    "__proto__",
    "content-type",
    "traceparent",
    "ce_time",
  ];
  for (let round = 0; round < 2000; round++) {
    const headers = Object.create(null) as Record<string, string | Uint8Array>;
    for (const name of names) {
      if (random.next() < 0.5) continue;
      const bytes = Uint8Array.from({ length: Math.floor(random.next() * 12) }, () => Math.floor(random.next() * 256));
      headers[name] = random.next() < 0.5 ? bytes : random.next() < 0.5 ? "1.0" : Buffer.from(bytes).toString("latin1");
    }
    fromHeaders(headers, random.next() < 0.5 ? "ce_" : "ce-");
  }
  expect(Object.keys(Object.prototype)).toEqual([]);
});
