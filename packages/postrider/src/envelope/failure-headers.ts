import { isoTime } from "./iso-time.ts";

/** A message given up, as far as its headers tell of it. */
export interface FailureFacts {
  readonly service: string;
  /** Where it was read. */
  readonly destination: string;
  readonly list: string;
  readonly code: string;
  readonly reason: string;
  readonly attempts: number;
  /** In milliseconds since the epoch. */
  readonly at: number;
}

/** Why a message was given up, in headers beside its own, where the broker has it. */
export function failureHeaders({ service, destination, list, code, reason, attempts, at }: FailureFacts): Record<string, string> {
  return {
    "postrider-failed-service": service,
    "postrider-failed-destination": destination,
    "postrider-failure-list": list,
    "postrider-failure-code": code,
    "postrider-failure-reason": reason,
    "postrider-failure-attempts": String(attempts),
    "postrider-failed-at": isoTime(at),
  };
}
