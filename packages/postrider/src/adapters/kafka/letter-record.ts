import type { Headers, Outgoing, WireBody } from "../../envelope/envelope.ts";
import { murmur2, partitionOfHash } from "./murmur2.ts";
import type { RecordWriter } from "./record-writer.ts";
import { varintBytes, writeVarint } from "./varint.ts";
import { COPY_HEADER, KEY_HEADER, TOMBSTONE_HEADER } from "./wire-names.ts";

/** What the producer must know of a copy besides the message. */
interface CopyFacts {
  /** That of the original; the copy goes to the same where there is one. */
  readonly partition: number;
  /** Whether it has no envelope of ours on the wire. */
  readonly isForeign: boolean;
}

/** A record as the producer takes it, and where it goes. */
export interface PlacedRecord {
  readonly record: Buffer;
  readonly partition: number;
}

/** The header by which a copy in the outbox tells the producer what it is; it is not written. */
export function copyHeader(facts: CopyFacts): Headers {
  return { [COPY_HEADER]: JSON.stringify(facts) };
}

/** Writes the copy of a dead letter: key, value and headers of the original, and why it was given up. */
export function encodeLetter(writer: RecordWriter, message: Outgoing, partitions: number): PlacedRecord {
  const { [COPY_HEADER]: facts, ...headers } = message.headers;
  const { partition, isForeign } = JSON.parse(String(facts)) as CopyFacts;
  const key = headers[KEY_HEADER];
  const record = isForeign ? foreignRecord(headers, message.body) : writer.encode({ ...message, headers }, message.envelope.partitionkey);
  if (partition < partitions) return { record, partition };
  const hash = isForeign ? murmur2(bytesOf(key ?? message.envelope.id)) : writer.keyHash;
  return { record, partition: partitionOfHash(hash, partitions) };
}

/** A record as somebody else wrote it, from what the reader made of it. */
function foreignRecord(found: Headers, body: WireBody): Buffer {
  const { [KEY_HEADER]: key, [TOMBSTONE_HEADER]: tombstone, ...headers } = found;
  const names = Object.keys(headers);
  return Buffer.concat([
    ...withLength(key),
    ...withLength(tombstone === undefined ? body : undefined),
    varint(names.length),
    ...names.flatMap((name) => [...withLength(name), ...withLength(headers[name])]),
  ]);
}

function withLength(value: string | Uint8Array | undefined): Uint8Array[] {
  if (value === undefined) return [varint(-1)];
  const bytes = bytesOf(value);
  return [varint(bytes.byteLength), bytes];
}

function bytesOf(value: string | Uint8Array): Uint8Array {
  return typeof value === "string" ? Buffer.from(value) : value;
}

function varint(value: number): Uint8Array {
  const bytes = new Uint8Array(varintBytes(value));
  writeVarint(bytes, value, 0);
  return bytes;
}
