import type { Envelope } from "../envelope/envelope.ts";

/** What happened to a message, for counters. */
export type MessageOutcome =
  | "handled"
  | "repeated"
  | "skipped"
  | "retried"
  | "dead"
  | "expired"
  | "unhandled"
  | "quarantined"
  | "parked"
  | "givenBack";

/** Where counts, durations and spans go. All methods are cheap and never throw. */
export interface Telemetry {
  /** Messages were accepted for sending. */
  sent(service: string, contract: string, count: number): void;
  /** A delivery ended, after `durationMs` in its handler. */
  settled(service: string, contract: string, outcome: MessageOutcome, durationMs: number): void;
  /** Headers that carry the trace of what is being done now; undefined where there is none. */
  inject(): Pick<Envelope, "traceparent" | "tracestate" | "baggage"> | undefined;
  /** Runs a handler within the trace of its message. */
  within<Result>(envelope: Envelope, service: string, run: () => Result): Result;
}
