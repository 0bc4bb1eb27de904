import type { Destination } from "../../ports/transport.ts";

const SCHEME = "kafka-dead-letter:";
const FORM = /^kafka-dead-letter:([^:]+):\.(?:events|commands)$/;

/**
 * Where a copy of a dead letter goes, as it stands in the outbox: no other transport knows such a destination, so that a copy cannot come back as a message,
 * and its end says which relay carries it.
 */
export function letterAddress(topic: string, kind: Destination["kind"]): string {
  return `${SCHEME}${topic}:.${kind}`;
}

/** The topic of an address; undefined for other destinations. */
export function parseLetterAddress(destination: string): string | undefined {
  return destination.startsWith(SCHEME) ? FORM.exec(destination)?.[1] : undefined;
}
