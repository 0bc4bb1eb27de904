import { expect, test } from "vitest";
import { committedBatches } from "./aborted.ts";
import type { RecordBatch } from "./batch-reader.ts";

const TRANSACTIONAL = 1 << 4;
const CONTROL = 1 << 5;

function batch(firstOffset: number, lastOffset: number, producer: number, attributes = TRANSACTIONAL): RecordBatch {
  return {
    firstOffset,
    lastOffset,
    attributes,
    producerId: BigInt(producer),
    firstTimestampMs: 0,
    maxTimestampMs: 0,
    count: 1,
    records: () => Buffer.alloc(0),
  };
}

/** A record: length, attributes, time, offset, a key of four bytes: version 0 and the marker's type. */
function marker(offset: number, producer: number, type: "abort" | "commit"): RecordBatch {
  const records = Buffer.from([18, 0, 0, 0, 8, 0, 0, 0, type === "abort" ? 0 : 1, 1, 0]);
  return { ...batch(offset, offset, producer, TRANSACTIONAL | CONTROL), records: () => records };
}

const offsetsOf = (batches: readonly RecordBatch[]): number[] => batches.map(({ firstOffset }) => firstOffset);

test("markers are never delivered, and what was committed always is", () => {
  const log = [batch(0, 3, 1), marker(4, 1, "commit"), batch(5, 9, -1, 0)];
  expect(offsetsOf(committedBatches(log, []))).toEqual([0, 5]);
});

test("two aborted transactions of one producer in one answer", () => {
  const log = [
    batch(0, 1, 1),
    marker(2, 1, "abort"),
    batch(3, 4, 1),
    marker(5, 1, "commit"),
    batch(6, 7, 1),
    marker(8, 1, "abort"),
    batch(9, 9, 1),
  ];
  const aborted = [
    { producerId: 1n, firstOffset: 6 },
    { producerId: 1n, firstOffset: 0 },
  ];
  expect(offsetsOf(committedBatches(log, aborted))).toEqual([3, 9]);
});

test("an aborted transaction whose marker is not in this answer", () => {
  const log = [batch(0, 1, 1), batch(2, 3, 2), batch(4, 5, 1)];
  expect(offsetsOf(committedBatches(log, [{ producerId: 1n, firstOffset: 0 }]))).toEqual([2]);
});

test("an aborted transaction that began before this answer", () => {
  const log = [batch(100, 101, 1), marker(102, 1, "abort"), batch(103, 104, 1)];
  expect(offsetsOf(committedBatches(log, [{ producerId: 1n, firstOffset: 7 }]))).toEqual([103]);
});

test("messages outside transactions are nobody's to abort", () => {
  const log = [batch(0, 1, 1, 0), batch(2, 3, 1)];
  expect(offsetsOf(committedBatches(log, [{ producerId: 1n, firstOffset: 0 }]))).toEqual([0]);
});
