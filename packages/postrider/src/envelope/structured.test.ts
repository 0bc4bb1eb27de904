import { expect, test } from "vitest";
import { seededRandom } from "../base/random.ts";
import { NO_HEADERS } from "./envelope.ts";
import type { Envelope, WireMessage } from "./envelope.ts";
import { decodeStructured, encodeStructured } from "./structured.ts";
import type { StructuredReading } from "./structured.ts";

const envelope: Envelope = {
  id: "m-1",
  source: "/ordering",
  type: "order.placed",
  kind: "event",
  contractversion: 2,
  time: "2026-01-01T00:00:00.000Z",
  subject: `a "quoted",\\"data\\":1 subject`,
};

function readable(reading: StructuredReading | undefined): Extract<StructuredReading, { readonly unreadable: undefined }> {
  if (reading === undefined || reading.unreadable !== undefined) throw new Error(`unreadable: ${reading?.unreadable ?? "not ours"}`);
  return reading;
}

const messages: readonly (readonly [string, WireMessage])[] = [
  [
    "a JSON body, character for character",
    { envelope, headers: NO_HEADERS, body: `{ "2": 1.0, "1": [1e2], "data": {"data":1}, "a": "\\u00e9" }` },
  ],
  ["an empty object", { envelope, headers: NO_HEADERS, body: "{}" }],
  ["null", { envelope, headers: NO_HEADERS, body: "null" }],
  ["text of another type", { envelope: { ...envelope, datacontenttype: "text/plain" }, headers: NO_HEADERS, body: `say "hi"` }],
  ["bytes", { envelope: { ...envelope, datacontenttype: "application/avro" }, headers: NO_HEADERS, body: Buffer.from([0, 255, 128]) }],
  ["the user's headers", { envelope, headers: { mine: "ü", raw: Buffer.from([1, 2]) }, body: "1" }],
];

test.each(messages)("a document gives back %s", (_name, message) => {
  for (const document of [encodeStructured(message), Buffer.from(encodeStructured(message))]) {
    const { envelope: found, headers, body } = readable(decodeStructured(document));
    expect({ envelope: found, headers: { ...headers }, body }).toEqual({ ...message, headers: { ...message.headers } });
  }
});

test("a document is a CloudEvent that others can read", () => {
  expect(JSON.parse(encodeStructured({ envelope, headers: NO_HEADERS, body: `{"a":1}` }))).toEqual({
    specversion: "1.0",
    ...envelope,
    datacontenttype: "application/json",
    data: { a: 1 },
  });
});

test("members may come in any order and with any spaces", () => {
  const document = JSON.stringify(
    { data: { a: [1, { data: 2 }] }, specversion: "1.0", ...envelope, datacontenttype: "application/json" },
    undefined,
    2,
  );
  expect(readable(decodeStructured(document))).toMatchObject({ envelope, body: `{"a":[1,{"data":2}]}` });
  const inner = `{"specversion":"1.0","myext":"x","data":{"b":1},"data":{"c":2}}`.replace(
    `"myext":"x"`,
    JSON.stringify(envelope).slice(1, -1),
  );
  expect(readable(decodeStructured(inner)).body).toBe(`{"c":2}`);
});

test("unknown extension attributes survive", () => {
  const extended = { ...envelope, myextension: "x", flag: true, count: 3 };
  expect(readable(decodeStructured(encodeStructured({ envelope: extended, headers: NO_HEADERS, body: "1" }))).envelope).toEqual(extended);
});

test("JSON that is no CloudEvent, and a CloudEvent of somebody else's, are not ours", () => {
  for (const document of ["{}", "[]", "1", "null", `{"specversion":"1.0","id":"1","source":"/x","type":"a.b","data":1}`])
    expect(decodeStructured(document)).toBeUndefined();
});

test.each([
  ["nothing", "", "it is empty"],
  ["another CloudEvents version", JSON.stringify({ specversion: "0.3", ...envelope }), "its CloudEvents version is not 1.0"],
  [
    "attributes that do not fit",
    JSON.stringify({ specversion: "1.0", ...envelope, contractversion: 0 }),
    "contractversion must be a whole number from 1",
  ],
  ["a body that is no base64", JSON.stringify({ specversion: "1.0", ...envelope, data_base64: "§" }), "data_base64 is not base64"],
  ["headers that are none", JSON.stringify({ specversion: "1.0", ...envelope, prheaders: "[[1]]" }), "prheaders is not readable"],
])("%s makes a document unreadable", (_name, document, detail) => {
  expect(decodeStructured(document)).toEqual({ unreadable: detail });
});

test("no cut or changed document makes it throw", () => {
  const random = seededRandom(3);
  const document = encodeStructured({ envelope, headers: { mine: "1" }, body: `{"a":[1,2,{"data":"x"}]}` });
  for (let round = 0; round < 2000; round++) {
    const at = Math.floor(random.next() * document.length);
    const change = [`"`, "\\", "{", "}", "[", ",", `,"data":`, "\u0000", ""][Math.floor(random.next() * 9)]!;
    decodeStructured(document.slice(0, at) + change + document.slice(at + Math.floor(random.next() * 3)));
  }
  expect(Object.keys(Object.prototype)).toEqual([]);
});
