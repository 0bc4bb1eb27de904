import type { Clock } from "../base/clock.ts";
import { derivedId } from "../base/ids.ts";
import type { ContractIndex } from "../contracts/registry.ts";
import { ATTRIBUTE_PREFIXES, fromHeaders } from "../envelope/attributes.ts";
import { checkEnvelope, isTime } from "../envelope/check.ts";
import type { Envelope, FoundMessage } from "../envelope/envelope.ts";
import type { ForeignIdentity, ForeignMapping } from "../envelope/foreign.ts";
import { isoTime } from "../envelope/iso-time.ts";
import { parseJson } from "../envelope/json.ts";
import type { JsonReading } from "../envelope/json.ts";

/** What a decoder reads: a transport's delivery, or a held message with the lane that it runs in. */
export interface Decodable extends FoundMessage {
  readonly lane: { readonly number: number };
  readonly position: number;
  /** What a held message is known by: unlike a delivery it has no position. */
  readonly id?: string;
}

/** A foreign message as it was read, or why it is not readable. */
export type ForeignReading =
  | { readonly envelope: Envelope; readonly json: JsonReading }
  | { readonly envelope: undefined; readonly unreadable: string };

/** What a foreign reader needs to know. */
export interface ForeignReaderOptions {
  readonly destination: string;
  readonly contracts: ContractIndex;
  readonly clock: Clock;
  readonly mapping: ForeignMapping;
  readonly newId?: () => string;
}

/** Reads messages that others write in their own form: finds their identity, gives them an envelope of ours. */
export class ForeignReader {
  readonly #options: ForeignReaderOptions;

  constructor(options: ForeignReaderOptions) {
    this.#options = options;
  }

  read(found: Decodable): ForeignReading {
    const json = parseJson(found.body);
    const identity = this.#identify(found, json);
    if (typeof identity === "string") return { envelope: undefined, unreadable: identity };
    // One that was read before keeps its identity; only its payload must be found again.
    const envelope = found.envelope ?? checkEnvelope(this.#envelopeOf(found, identity));
    if (typeof envelope === "string") return { envelope: undefined, unreadable: `what its foreign mapping found does not do: ${envelope}` };
    return { envelope, json: identity.payload === undefined ? json : { unreadable: undefined, value: identity.payload } };
  }

  #identify(found: Decodable, json: JsonReading): ForeignIdentity | string {
    try {
      const identity = this.#options.mapping(found, json.unreadable === undefined ? json.value : undefined);
      if (identity !== undefined) return identity;
    } catch {
      return "its foreign mapping threw";
    }
    if (found.envelope !== undefined) return { type: found.envelope.type }; // an edited copy: its body is the contract's own
    return json.unreadable === undefined
      ? "its foreign mapping does not fit it"
      : `its foreign mapping does not fit it, and ${json.unreadable}`;
  }

  #envelopeOf(found: Decodable, identity: ForeignIdentity): Record<string, unknown> {
    const { destination, contracts, clock } = this.#options;
    return {
      id: identity.id ?? this.#idOf(found),
      source: FOREIGN_SOURCE + destination,
      type: identity.type,
      kind: contracts.family(identity.type)?.kind ?? "event",
      contractversion: identity.version ?? 1,
      time: isTime(identity.time) ? identity.time : isoTime(clock.now()),
      ...optional("correlationid", identity.correlationId),
      ...optional("causationid", identity.causationId),
      ...optional("partitionkey", identity.key),
    };
  }

  #idOf(found: Decodable): string {
    const { destination, newId } = this.#options;
    if (found.id !== undefined) return derivedId(destination, "held", found.id);
    return newId === undefined ? derivedId(destination, found.lane.number, found.position) : newId();
  }
}

/** Whether an envelope was made here for a foreign message. */
export function isForeign(envelope: Envelope): boolean {
  return envelope.source.startsWith(FOREIGN_SOURCE);
}

/**
 * An envelope without what only our own may claim: tenant, replies, adapted copies.
 *
 * For destinations that others write to: what they put there must not pass for another tenant's, nor send answers anywhere.
 */
export function withoutClaims(envelope: Envelope): Envelope {
  const { tenant: _tenant, replyto: _replyto, inreplyto: _inreplyto, adaptedfrom: _adaptedfrom, adaptedto: _adaptedto, ...rest } = envelope;
  return rest;
}

/** Why a message has no envelope, as far as its headers tell. */
export function explain(found: FoundMessage): string {
  for (const prefix of ATTRIBUTE_PREFIXES) {
    const reading = fromHeaders(found.headers, prefix);
    if (reading?.unreadable !== undefined) return reading.unreadable;
  }
  return "it has no attributes of one";
}

/** A text from outside as it may be shown: short and on one line. */
export function shown(text: string | undefined): string {
  return JSON.stringify((text ?? "").slice(0, MAX_SHOWN));
}

const FOREIGN_SOURCE = "/foreign/";
const MAX_SHOWN = 60;

function optional(name: string, value: unknown): Record<string, unknown> {
  return value === undefined || value === "" ? {} : { [name]: value };
}
