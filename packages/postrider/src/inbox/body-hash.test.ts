import { expect, test } from "vitest";
import { bodyHash } from "./body-hash.ts";

test("a body has one hash, as text and as bytes", () => {
  const text = '{"name":"Żółw 🐢"}';
  expect(bodyHash(Buffer.from(text))).toBe(bodyHash(text));
  expect(bodyHash(new Uint8Array(Buffer.from(text)))).toBe(bodyHash(text));
});

test("another body has another hash, by one byte too", () => {
  const bodies = ["", "{}", "{ }", '{"a":1}', '{"a":2}', new Uint8Array([0]), new Uint8Array([0, 0]), new Uint8Array([255])];
  expect(new Set(bodies.map(bodyHash)).size).toBe(bodies.length);
});

test("the hash is the same in every release: inbox rows outlive an update", () => {
  expect(bodyHash("")).toBe("47DEQpj8HBSa+/TImW+5JC");
});
