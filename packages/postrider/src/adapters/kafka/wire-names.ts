/** Before the names of attributes, by CloudEvents' binding for Kafka. */
export const PREFIX = "ce_";
/** The header that says what a body is. */
export const CONTENT_TYPE = "content-type";
/** What an absent content type means. */
export const DEFAULT_TYPE = "application/json";
/** The body was bytes, not text. */
export const BYTES_BODY = "pr-bytes";
/** The names of headers that were bytes though they would also be text: a JSON list. */
export const BYTES_HEADERS = "pr-bytes-headers";
/** The same id may be sent again. */
export const MAY_REPEAT = "pr-may-repeat";
/** The inbox that an answer is for. */
export const INBOX = "pr-inbox";
/** Marks a record without a value: a foreign producer's way to say that the key is gone. */
export const TOMBSTONE_HEADER = "kafka-tombstone";

/** The record's key, which a foreign message has nowhere else. */
export const KEY_HEADER = "kafka-key";

/** Where a message was read, for the copy of its dead letter: partition, offset, time, and what time that is. */
export const ORIGIN_HEADER = "kafka-origin";
/** In the outbox: what the producer must know of a dead letter's copy. */
export const COPY_HEADER = "pr-copy";

/** Whether a header is one of W3C's, which have no prefix. */
export function isTraceName(name: string): boolean {
  return name === "traceparent" || name === "tracestate" || name === "baggage";
}
