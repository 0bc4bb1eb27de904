import type { FoundMessage } from "./envelope.ts";

/** What a mapping found out about a foreign message. */
export interface ForeignIdentity {
  /** The contract's name, without a version suffix. */
  readonly type: string;
  /** Default 1. */
  readonly version?: number;
  /** Default: its position in the log, where there is one. */
  readonly id?: string;
  readonly correlationId?: string;
  readonly causationId?: string;
  /** ISO 8601. */
  readonly time?: string;
  readonly key?: string;
  /** The part of a JSON body that is the contract's body. Default: all of it. */
  readonly payload?: unknown;
}

/** Reads a foreign message's identity; undefined when it is not one of these. Must not throw. */
export type ForeignMapping = (found: FoundMessage, body: unknown) => ForeignIdentity | undefined;
