import { expect, test } from "vitest";
import { varintBytes, VarintReader, writeVarint } from "./varint.ts";

const EDGES = [0, -1, 1, 63, 64, -64, -65, 8191, 8192, 1_048_575, 1_048_576, 134_217_727, 134_217_728, 0x7fffffff, -0x80000000];

test.for(EDGES)("%i is read as it was written, in the bytes that were foretold", (value) => {
  const bytes = Buffer.alloc(8);
  const end = writeVarint(bytes, value, 0);
  expect(end).toBe(varintBytes(value));
  const reader = new VarintReader(bytes, 0);
  expect([reader.next(), reader.at]).toEqual([value, end]);
});

test.for([
  [0, [0]],
  [-1, [1]],
  [1, [2]],
  [150, [0xac, 0x02]],
  [2_592_000_000, [0x80, 0xa0, 0xf6, 0xa7, 0x13]], // 30 days: beyond 32 bits
] as const)("a time difference of %i ms is read", ([value, bytes]) => {
  expect(new VarintReader(Buffer.from(bytes), 0).nextLong()).toBe(value);
});
