import type { Headers } from "../../envelope/envelope.ts";
import type { RawRecord } from "./batch-reader.ts";
import type { DecodedRecord } from "./record-reader.ts";
import { ORIGIN_HEADER } from "./wire-names.ts";

/** The record that a message came from. */
export interface Origin {
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly timestampType: string;
  /** Whether it was no message of ours. */
  readonly isForeign: boolean;
}

const FORM = /^(\d{1,10})\/(\d{1,16})\/(-?\d{1,16})\/(CreateTime|LogAppendTime)(\/foreign)?$/;

/** A record with its origin as a header: so it is still known when the message is given up, which may be days and a store later. */
export function withOrigin(decoded: DecodedRecord, record: RawRecord, partition: number): DecodedRecord {
  const type = record.isAppendTime ? "LogAppendTime" : "CreateTime";
  const origin = `${partition}/${record.offset}/${record.timestampMs}/${type}${decoded.envelope === undefined ? "/foreign" : ""}`;
  return { ...decoded, headers: { ...decoded.headers, [ORIGIN_HEADER]: origin } };
}

/** The origin that a message's headers tell of; undefined where it was taken before anybody asked for copies. */
export function originIn(headers: Headers): Origin | undefined {
  const text = headers[ORIGIN_HEADER];
  const [, partition, offset, timestampMs, timestampType, foreign] = (typeof text === "string" && FORM.exec(text)) || [];
  if (timestampType === undefined) return undefined;
  return {
    partition: Number(partition),
    offset: Number(offset),
    timestampMs: Number(timestampMs),
    timestampType,
    isForeign: foreign !== undefined,
  };
}
