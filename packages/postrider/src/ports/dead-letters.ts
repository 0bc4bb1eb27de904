import type { MaybePromise } from "../base/deferred.ts";
import type { Envelope, Headers, WireBody } from "../envelope/envelope.ts";
import type { Page } from "./page.ts";

/** Which list a message that was given up is on. `unsent` never left: its redrive sends it; all others are handed to their handler. */
export type DeadLetterList = "failed" | "unhandled" | "expired" | "quarantined" | "unsent";

/** A message given up, byte for byte, with why. */
export interface DeadLetter {
  readonly id: string;
  readonly service: string;
  readonly list: DeadLetterList;
  /** The contract's name, or the empty string where it cannot be told. */
  readonly contract: string;
  /** The envelope's id; without an envelope the id of the first letter of this message. */
  readonly messageId: string;
  readonly destination: string;
  readonly lane: number;
  readonly key: string | undefined;
  readonly isOrdered: boolean;
  readonly envelope: Envelope | undefined;
  readonly headers: Headers;
  readonly body: WireBody;
  /** A code of the error table, or the thrown error's own. */
  readonly code: string;
  readonly reason: string;
  readonly stack: string | undefined;
  /** What letters of one cause share. */
  readonly fingerprint: string;
  /** Runs of the handler: those that failed, and those that the process did not survive. */
  readonly attempts: number;
  /** When it was given up, in milliseconds since the epoch. */
  readonly at: number;
  /** How often it was redriven. */
  readonly redrives: number;
}

/** Dead letters inside a transaction. */
export interface DeadLetterWriter {
  add(letter: DeadLetter): MaybePromise<void>;
  /** The letter, if it is there. Within the transaction nobody else takes it. */
  get(id: string): MaybePromise<DeadLetter | undefined>;
  /** Removes it; whether it was there. */
  remove(id: string): MaybePromise<boolean>;
}

/** Which dead letters are meant; all parts given must hold. */
export interface DeadLetterFilter {
  readonly list?: DeadLetterList;
  readonly contract?: string;
  readonly messageId?: string;
  readonly fingerprint?: string;
  readonly key?: string;
  readonly ids?: readonly string[];
  /** Given up before this, in milliseconds since the epoch. */
  readonly before?: number;
}

/** Letters of one cause. */
export interface DeadLetterGroup {
  readonly fingerprint: string;
  readonly service: string;
  readonly contract: string;
  readonly code: string;
  readonly reason: string;
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
}

/** Dead letters outside a transaction. */
export interface DeadLetterReader {
  list(filter: DeadLetterFilter, page: Page): Promise<readonly DeadLetter[]>;
  groups(filter: DeadLetterFilter): Promise<readonly DeadLetterGroup[]>;
  get(id: string): Promise<DeadLetter | undefined>;
  count(filter: DeadLetterFilter): Promise<number>;
}
