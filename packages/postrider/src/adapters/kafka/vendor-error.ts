import { fail, isPostriderError, reasonOf } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";

/** Error codes of the protocol, from Kafka's `Errors.java`. */
export const KAFKA_CODES = {
  NONE: 0,
  OFFSET_OUT_OF_RANGE: 1,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  MESSAGE_TOO_LARGE: 10,
  RECORD_LIST_TOO_LARGE: 18,
  REBALANCE_IN_PROGRESS: 27,
  TOPIC_AUTHORIZATION_FAILED: 29,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  INVALID_TIMESTAMP: 32,
  TOPIC_ALREADY_EXISTS: 36,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
  DUPLICATE_SEQUENCE_NUMBER: 46,
  INVALID_PRODUCER_EPOCH: 47,
  INVALID_PRODUCER_ID_MAPPING: 49,
  UNKNOWN_PRODUCER_ID: 59,
  INVALID_RECORD: 87,
} as const;

const MAX_DEPTH = 8;

/** The vendor's error as one of the table. Postrider's own errors pass unchanged. */
export function wrapKafkaError(error: unknown, during: string): PostriderError {
  if (isPostriderError(error)) return error;
  return fail("PR_TRANSPORT_FAILED", { transport: "kafka", during, detail: detailOf(error) }, { cause: error });
}

/** Whether an error, or one of those within it, carries this code of the protocol. */
export function hasKafkaCode(error: unknown, code: number): boolean {
  return find(error, (one) => (one as { apiCode?: unknown }).apiCode === code) !== undefined;
}

/** The innermost reasons, each once: the vendor wraps them several times over. */
function detailOf(error: unknown): string {
  const reasons = new Set<string>();
  find(error, (one) => {
    const { errors } = one as { errors?: unknown };
    if (!Array.isArray(errors) || errors.length === 0) reasons.add(reasonOf(one));
    return false;
  });
  return [...reasons].slice(0, 3).join("; ") || reasonOf(error);
}

function find(error: unknown, fits: (one: object) => boolean, depth = 0): object | undefined {
  if (typeof error !== "object" || error === null || depth > MAX_DEPTH) return undefined;
  if (fits(error)) return error;
  const { errors, cause } = error as { errors?: unknown; cause?: unknown };
  // After a long outage there is an entry for each try: the last ones say it.
  for (const inner of Array.isArray(errors) ? (errors as unknown[]).slice(-16) : []) {
    const found = find(inner, fits, depth + 1);
    if (found !== undefined) return found;
  }
  return find(cause, fits, depth + 1);
}
