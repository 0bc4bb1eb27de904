import { expect, test } from "vitest";
import { seededRandom } from "../base/random.ts";
import { isJsonType, MAX_JSON_DEPTH, parseJson } from "./json.ts";

const nested = (open: string, close: string, depth: number): string => open.repeat(depth) + (open === "[" ? "" : "1") + close.repeat(depth);

test("text and bytes are read alike, with and without a byte order mark", () => {
  for (const text of [`{"a":"ü"}`, `\ufeff{"a":"ü"}`]) {
    expect(parseJson(text)).toEqual({ unreadable: undefined, value: { a: "ü" } });
    expect(parseJson(Buffer.from(text))).toEqual({ unreadable: undefined, value: { a: "ü" } });
  }
});

test.each([
  ["nothing", "", "it is empty"],
  ["white space", " \n", "it is empty"],
  ["half a document", `{"a":`, "it is not JSON"],
  ["a lone byte of UTF-8", Uint8Array.of(0x22, 0xc3, 0x22), "it is not valid UTF-8"],
  ["a surrogate in UTF-8", Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22), "it is not valid UTF-8"],
  ["an overlong form", Uint8Array.of(0x22, 0xc0, 0xaf, 0x22), "it is not valid UTF-8"],
  ["UTF-16", Buffer.from(`{"a":1}`, "utf16le").fill(0xff, 0, 1), "it is not valid UTF-8"],
])("%s is a reason, not an exception", (_name, body, reason) => {
  expect(parseJson(body)).toEqual({ unreadable: reason });
});

test("the reason never quotes the document", () => {
  for (const text of [`{"card": 4111111111111111, oops}`, `secret`, `{"secret": tru}`, `["secret" "x"]`]) {
    expect(parseJson(text).unreadable).toMatch(/^it is not JSON(?:, from character \d+ on)?$/);
  }
});

test("the limit of the depth is exact, and brackets within strings do not count", () => {
  expect(parseJson(nested("[", "]", MAX_JSON_DEPTH)).unreadable).toBeUndefined();
  expect(parseJson(nested(`{"a":`, "}", MAX_JSON_DEPTH)).unreadable).toBeUndefined();
  expect(parseJson(`[${nested("[", "]", MAX_JSON_DEPTH - 1)},[]]`).unreadable).toBeUndefined();
  expect(parseJson(nested("[", "]", MAX_JSON_DEPTH + 1)).unreadable).toBe(`it is nested deeper than ${MAX_JSON_DEPTH}`);
  expect(parseJson(nested(`{"a":`, "}", MAX_JSON_DEPTH + 1)).unreadable).toBe(`it is nested deeper than ${MAX_JSON_DEPTH}`);
  expect(parseJson(JSON.stringify({ text: `"${"[".repeat(5000)}\\` })).unreadable).toBeUndefined();
  expect(parseJson(`[${"[],".repeat(5000)}[]]`).unreadable).toBeUndefined();
});

test.each(["[".repeat(100_000), nested("[", "]", 100_000), nested(`{"a":`, "}", 100_000), `"${"[".repeat(1_000_000)}`])(
  "a hostile depth is refused without being parsed",
  (text) => {
    expect(parseJson(text).unreadable).toBeDefined();
  },
);

test("hostile names become own properties and nothing else", () => {
  const { value } = parseJson(`{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"a":1,"a":2}`) as {
    value: Record<string, unknown>;
  };
  expect(Object.keys(value)).toEqual(["__proto__", "constructor", "a"]);
  expect(value["a"]).toBe(2);
  expect(JSON.stringify(value)).toBe(`{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"a":2}`);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

test("escaped lone surrogates and NUL stay, and numbers out of range are what JSON makes of them", () => {
  expect(parseJson(`["\\ud800","\\u0000",1e309]`)).toEqual({
    unreadable: undefined,
    value: ["\ud800", "\u0000", Number.POSITIVE_INFINITY],
  });
});

test("whatever JSON writes is read back, and no bytes at all make it throw", () => {
  const random = seededRandom(7);
  for (let round = 0; round < 500; round++) {
    const bytes = Uint8Array.from({ length: Math.floor(random.next() * 40) }, () => Math.floor(random.next() * 256));
    parseJson(bytes);
    const value = { text: Buffer.from(bytes).toString("latin1"), list: [...bytes], none: null };
    expect(parseJson(Buffer.from(JSON.stringify(value)))).toEqual({ unreadable: undefined, value });
  }
});

test("content types that mean JSON", () => {
  for (const type of [
    undefined,
    "application/json",
    "application/json; charset=utf-8",
    "Application/JSON",
    "application/vnd.shop+json",
    "text/json",
  ])
    expect(isJsonType(type)).toBe(true);
  for (const type of ["text/plain", "application/avro", "application/jsonx", "", "x+json"]) expect(isJsonType(type)).toBe(false);
});
