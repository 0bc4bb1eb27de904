import type { RecordBatch } from "./batch-reader.ts";
import type { AbortedTransaction } from "./fetch-request.ts";
import { VarintReader } from "./varint.ts";

const IS_TRANSACTIONAL = 1 << 4;
const IS_CONTROL = 1 << 5;
const ABORT_MARKER = 0;
const MARKER_TYPE_AT = 2; // behind the version of the marker's key

/**
 * The batches that a reader of committed messages may see: no markers, nothing that was aborted.
 *
 * As Java's fetcher does it: a producer's records are aborted from the first offset of an aborted transaction to its marker, which need not be within
 * the same answer. The client's own filter knows one transaction per producer and leaves out those without a marker, and so delivers aborted messages.
 */
export function committedBatches(batches: readonly RecordBatch[], aborted: readonly AbortedTransaction[]): RecordBatch[] {
  const coming = aborted.toSorted((left, right) => left.firstOffset - right.firstOffset);
  const abortedProducers = new Set<bigint>();
  let next = 0;
  return batches.filter((batch) => {
    while (next < coming.length && coming[next]!.firstOffset <= batch.lastOffset) abortedProducers.add(coming[next++]!.producerId);
    if ((batch.attributes & IS_CONTROL) !== 0) {
      if (isAbortMarker(batch)) abortedProducers.delete(batch.producerId);
      return false;
    }
    return (batch.attributes & IS_TRANSACTIONAL) === 0 || !abortedProducers.has(batch.producerId);
  });
}

function isAbortMarker(batch: RecordBatch): boolean {
  const records = batch.records();
  const reader = new VarintReader(records, 0);
  reader.next(); // length
  reader.at++; // attributes
  reader.nextLong(); // time
  reader.next(); // offset
  const keyLength = reader.next();
  return keyLength >= MARKER_TYPE_AT + 2 && records.readInt16BE(reader.at + MARKER_TYPE_AT) === ABORT_MARKER;
}
