import { derivedId } from "../base/ids.ts";
import type { Ids } from "../base/ids.ts";
import type { AnyContract } from "../contracts/contract.ts";
import type { Envelope } from "./envelope.ts";

/** Gives a message its id, once per message. `key` is undefined where there is none, or it is not known in time. */
export type Identify = (contract: AnyContract, key: string | undefined) => string;

/** New ids, for messages that nothing caused. */
export function newIdentity(ids: Ids): Identify {
  return () => ids.next();
}

/** What a handler's messages are identified by, besides the message that it handles. */
export interface RunOf {
  readonly service: string;
  /** The name of the handled contract. */
  readonly handler: string;
  /** Grows when an operator forces the handler to run again: its messages get new ids. Default 0. */
  readonly generation?: number;
}

/**
 * Ids for the messages that one run of a handler sends: the same in every run for the same message.
 *
 * Made from the cause's inbox id, service, handler, contract, key and the ordinal among those of one contract and key, so that
 * neither a re-run nor the order of `Promise.all` changes them. Make a new one for each run.
 */
export function runIdentity(cause: Envelope, run: RunOf): Identify {
  const causeId = inboxIdOf(cause);
  const ordinals = new Map<string, number>();
  return (contract, key) => {
    const line = `${contract.name}\u0000${contract.version}\u0000${key ?? ""}`;
    const ordinal = ordinals.get(line) ?? 0;
    ordinals.set(line, ordinal + 1);
    return derivedId(causeId, run.service, run.handler, line, ordinal, run.generation ?? 0);
  };
}

/** The id that the inbox goes by: an adapted copy and its original share one. */
export function inboxIdOf(envelope: Envelope): string {
  return envelope.adaptedfrom ?? envelope.id;
}
