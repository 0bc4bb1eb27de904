import type { FoundMessage, Outgoing } from "../envelope/envelope.ts";
import type { DeadLetter, DeadLetterList } from "../ports/dead-letters.ts";
import type { Ids } from "../base/ids.ts";
import { fingerprint } from "./fingerprint.ts";

/** Why a message was given up. */
export interface LetterFailure {
  readonly code: string;
  readonly reason: string;
  readonly stack: string | undefined;
}

/** A message given up, as whoever gives it up knows it. */
export interface GivenUp {
  /** A new id: every giving up is a letter of its own. */
  readonly id: string;
  readonly service: string;
  readonly list: DeadLetterList;
  readonly found: FoundMessage;
  /** Default: the envelope's type, as far as there is one. */
  readonly contract?: string;
  readonly destination: string;
  readonly lane: number;
  readonly key: string | undefined;
  /** Whether later messages of the key wait until somebody deals with the letter. */
  readonly isOrdered: boolean;
  readonly failure: LetterFailure;
  /** Runs of the handler. */
  readonly attempts: number;
  readonly at: number;
  /** How often it was redriven: that of the held message, else 0. */
  readonly redrives: number;
  /** Of the held message, where it is a redrive. */
  readonly deadLetterId?: string | undefined;
}

/** The dead letter of a message given up. */
export function deadLetterOf(given: GivenUp): DeadLetter {
  const { id, service, list, found, destination, lane, key, isOrdered, attempts, at, redrives } = given;
  const contract = given.contract ?? found.envelope?.type ?? "";
  const { code, reason, stack } = given.failure;
  return {
    id,
    service,
    list,
    contract,
    messageId: found.envelope?.id ?? given.deadLetterId ?? id,
    destination,
    lane,
    key,
    isOrdered,
    envelope: found.envelope,
    headers: found.headers,
    body: found.body,
    code,
    reason,
    stack,
    fingerprint: fingerprint({ service, contract, code, reason, stack }),
    attempts,
    at,
    redrives,
  };
}

/** A message that could not leave, as relay and scheduler know it. */
export interface NeverSent {
  readonly message: Outgoing;
  readonly failure: LetterFailure;
  /** Times that sending it was tried. */
  readonly attempts: number;
  readonly at: number;
}

/** Makes the dead letters of messages that a service could not send. They block nothing: later messages of their key have left, or will. */
export function unsentLetters(service: string, ids: Ids): (neverSent: NeverSent) => DeadLetter {
  return ({ message, failure, attempts, at }) =>
    deadLetterOf({
      id: ids.next(),
      service,
      list: "unsent",
      found: message,
      destination: message.destination,
      lane: 0,
      key: message.envelope.partitionkey,
      isOrdered: false,
      failure,
      attempts,
      at,
      redrives: 0,
    });
}
