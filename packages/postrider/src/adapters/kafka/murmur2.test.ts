import { defaultPartitioner } from "@platformatic/kafka";
import { expect, test } from "vitest";
import { murmur2, partitionOf } from "./murmur2.ts";

// From Kafka's own UtilsTest.testMurmur2, and of keys whose lengths leave 0 to 3 bytes over.
test.for([
  ["21", -973932308],
  ["foobar", -790332482],
  ["a-little-bit-long-string", -985981536],
  ["a-little-bit-longer-string", -1486304829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
] as const)("murmur2 of %s is Java's %i", ([key, hash]) => {
  expect(murmur2(Buffer.from(key))).toBe(hash);
});

test("murmur2 of three bytes that are no text is Java's", () => {
  expect(murmur2(Uint8Array.of(0x61, 0x62, 0x63))).toBe(479470107);
});

test("a key's partition is never negative, and Java's", () => {
  expect(partitionOf(Buffer.from("21"), 12)).toBe((-973932308 & 0x7fffffff) % 12);
  for (let at = 0; at < 1000; at++) expect(partitionOf(Buffer.from(`key-${at}`), 7)).toBeLessThan(7);
});

test("the client's own partitioner still puts keys elsewhere; once it does not, ours can go", () => {
  const elsewhere = Array.from({ length: 1000 }, (_, at) => Buffer.from(`key-${at}`)).filter(
    (key) => defaultPartitioner({ topic: "t", value: key, key }, key) % 12 !== partitionOf(key, 12),
  );
  expect(elsewhere.length).toBeGreaterThan(0);
});
