import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import { recordBytes } from "./batch-writer.ts";
import type { Waiting } from "./part-queue.ts";
import { KAFKA_CODES } from "./vendor-error.ts";

const WRITTEN: ReadonlySet<number> = new Set([KAFKA_CODES.NONE, KAFKA_CODES.DUPLICATE_SEQUENCE_NUMBER]);
const REFUSALS: ReadonlySet<number> = new Set([
  KAFKA_CODES.MESSAGE_TOO_LARGE,
  KAFKA_CODES.RECORD_LIST_TOO_LARGE,
  KAFKA_CODES.INVALID_RECORD,
  KAFKA_CODES.INVALID_TIMESTAMP,
]);
const FATAL: ReadonlySet<number> = new Set([KAFKA_CODES.TOPIC_AUTHORIZATION_FAILED, KAFKA_CODES.CLUSTER_AUTHORIZATION_FAILED]);
const UNKNOWN_PRODUCER: ReadonlySet<number> = new Set([
  KAFKA_CODES.OUT_OF_ORDER_SEQUENCE_NUMBER,
  KAFKA_CODES.INVALID_PRODUCER_EPOCH,
  KAFKA_CODES.INVALID_PRODUCER_ID_MAPPING,
  KAFKA_CODES.UNKNOWN_PRODUCER_ID,
]);

/** Whether a batch is in the log, now or since an earlier try. */
export function isWritten(code: number): boolean {
  return WRITTEN.has(code);
}

/** Whether one of a batch's messages is refused, and takes its neighbours with it: each must be sent alone. */
export function isRefusal(code: number): boolean {
  return REFUSALS.has(code);
}

/** Whether sending again is in vain until somebody changes something at the broker. */
export function isFatal(code: number): boolean {
  return FATAL.has(code);
}

/** Whether the broker has lost what it knew of this producer. */
export function isUnknownProducer(code: number): boolean {
  return UNKNOWN_PRODUCER.has(code);
}

/** The error for a message that the broker refuses also when it is alone. */
export function refusalOf({ type, record }: Waiting, code: number, limit: number): PostriderError {
  if (code === KAFKA_CODES.MESSAGE_TOO_LARGE || code === KAFKA_CODES.RECORD_LIST_TOO_LARGE)
    return fail("PR_BODY_TOO_LARGE", { contract: type, bytes: recordBytes(record), limit });
  const mistakes = `the broker refuses it (Kafka code ${code}); a compacted topic takes no message without a key`;
  return fail("PR_SEND_INVALID", { contract: type, mistakes });
}
