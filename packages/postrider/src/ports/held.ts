import type { MaybePromise } from "../base/deferred.ts";
import type { Envelope, Headers, WireBody } from "../envelope/envelope.ts";
import type { Page } from "./page.ts";

/** Why a message is held. */
export type HeldPurpose = "retry" | "parked" | "redrive";

/** A message that the store holds for one handler of its service: to be retried, parked behind a failed one of its key, or redriven. */
export interface HeldMessage {
  /** Unique in the service. */
  readonly id: string;
  readonly purpose: HeldPurpose;
  /** Not before this; undefined while it is parked. */
  readonly dueAt: number | undefined;
  readonly destination: string;
  readonly lane: number;
  /** The ordering key, where the contract has one. */
  readonly key: string | undefined;
  /** Whether others of the key wait behind it. */
  readonly isOrdered: boolean;
  readonly envelope: Envelope | undefined;
  readonly headers: Headers;
  readonly body: WireBody;
  /** Failed runs so far. */
  readonly failures: number;
  /** When it failed first, in milliseconds since the epoch. */
  readonly firstFailedAt: number | undefined;
  /** The dead letter that this is a redrive of. */
  readonly deadLetterId: string | undefined;
  /** How often it was redriven, this time included; 0 for what never was a dead letter. */
  readonly redrives: number;
}

/** Held messages inside a transaction. */
export interface HeldWriter {
  /** Adds it, or replaces the one of the same id. */
  put(entry: HeldMessage): MaybePromise<void>;
  /** Removes it under the claim's fence. @throws PR_LEASE_LOST when the claim is no longer ours */
  complete(claimed: ClaimedHeld): MaybePromise<void>;
  /** Puts it off under the claim's fence. @throws PR_LEASE_LOST */
  postpone(
    claimed: ClaimedHeld,
    change: { readonly dueAt: number; readonly failures: number; readonly firstFailedAt: number },
  ): MaybePromise<void>;
  /** Whether a key has a retrying, redriven, parked or dead message of this destination, apart from `exceptId`. */
  isBlocked(destination: string, key: string, exceptId?: string): MaybePromise<boolean>;
  /** How many are parked behind a key. */
  parkedCount(destination: string, key: string): MaybePromise<number>;
  /** Makes the oldest parked message of a key due, unless something else still blocks the key. Whether there was one. */
  releaseNext(destination: string, key: string): MaybePromise<boolean>;
}

/** A held message under a claim. */
export interface ClaimedHeld extends HeldMessage {
  readonly fence: number;
}

/** Held messages outside a transaction. */
export interface HeldReader {
  /** Claims what is due in some lanes of a destination, oldest first. A claim that is not ended is free again after `leaseMs`. */
  claimDue(options: {
    readonly destination: string;
    readonly lanes: readonly number[] | undefined;
    readonly limit: number;
    readonly leaseMs: number;
  }): Promise<readonly ClaimedHeld[]>;
  /** Gives claims back unrun. */
  giveBack(claimed: readonly ClaimedHeld[]): Promise<void>;
  /** The keys of some lanes that are blocked. */
  blockedKeys(destination: string, lanes: readonly number[] | undefined): Promise<readonly string[]>;
  /** When the next one is due, in milliseconds since the epoch. */
  nextDueAt(): MaybePromise<number | undefined>;
  get(id: string): Promise<HeldMessage | undefined>;
  list(page: Page & { readonly purpose?: HeldPurpose }): Promise<readonly HeldMessage[]>;
  count(): Promise<Readonly<Record<HeldPurpose, number>>>;
}
