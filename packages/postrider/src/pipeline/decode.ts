import type { Clock } from "../base/clock.ts";
import { isPromise } from "../base/deferred.ts";
import type { MaybePromise } from "../base/deferred.ts";
import { fail } from "../base/errors.ts";
import type { PostriderError } from "../base/errors.ts";
import { upcastBody, validateInput, versionUnknown } from "../contracts/read.ts";
import type { BodyReading } from "../contracts/read.ts";
import type { ContractIndex } from "../contracts/registry.ts";
import type { Envelope, WireBody } from "../envelope/envelope.ts";
import type { ForeignMapping } from "../envelope/foreign.ts";
import { inboxIdOf } from "../envelope/identity.ts";
import { isJsonType, parseJson } from "../envelope/json.ts";
import type { JsonReading } from "../envelope/json.ts";
import type { Destination } from "../ports/transport.ts";
import { explain, ForeignReader, isForeign, shown, withoutClaims } from "./decode-foreign.ts";
import type { Decodable } from "./decode-foreign.ts";
import { routesOf } from "./decode-routes.ts";
import type { Route, Routes } from "./decode-routes.ts";
import type { HandlerDefinition, Service } from "./service.ts";

/** A message that a handler of this service is to handle. */
export interface ReadyMessage {
  readonly kind: "ready";
  readonly definition: HandlerDefinition;
  /** The definition's place in `service.handlers`. */
  readonly handlerIndex: number;
  readonly envelope: Envelope;
  /** Of the handler's version, validated. */
  readonly body: unknown;
  /** The ordering key: the sender's, else what the contract makes of the body. */
  readonly key: string | undefined;
  /** What the inbox goes by; one for an original and its adapted copies. */
  readonly inboxId: string;
  /** Whether other messages of the same inbox id have other bodies by right: then the inbox must not compare bodies. */
  readonly isAdapted: boolean;
}

/** What became of a message at decoding. */
export type Decoded =
  | ReadyMessage
  /** Another's event, or one that a `where` leaves out: settle and count it. */
  | { readonly kind: "notSubscribed"; readonly envelope: Envelope }
  | { readonly kind: "expired"; readonly envelope: Envelope }
  /** A command without handler here, or a contract that nobody in the app knows. */
  | { readonly kind: "unhandled"; readonly envelope: Envelope }
  /** It will never be readable as it is and by this code: PR_ENVELOPE_UNREADABLE, PR_BODY_UNREADABLE, PR_BODY_INVALID, PR_VERSION_UNKNOWN. */
  | { readonly kind: "unreadable"; readonly error: PostriderError; readonly envelope: Envelope | undefined };

/** Decodes one message. Never throws; a promise only where a schema gives one. */
export type Decoder = (found: Decodable) => MaybePromise<Decoded>;

/** What a decoder needs to know. */
export interface DecoderOptions {
  readonly service: Service;
  readonly destination: Pick<Destination, "name">;
  /** All contracts of the app. */
  readonly contracts: ContractIndex;
  readonly clock: Clock;
  /** Reads messages that others write here in their own form. What they claim of tenants and replies is not believed. */
  readonly mapping?: ForeignMapping;
  /** The member of a body that holds what the contract knows, where this app writes its bodies around it. */
  readonly payloadName?: string;
  /** Ids for foreign messages without one, where the transport has no positions: those cannot be deduplicated. Default: they are known by their position. */
  readonly newId?: () => string;
}

/**
 * Makes the decode stage of one subscription: decode, subscribed?, expired?, version known, upcast, `where`, validate; in this order.
 *
 * The version's own handler is taken where there is one, else the nearest newer one that upcasts from it. `where` sees the
 * JSON as it was sent, upcast to the handler's version, so that a transport that filters by it judges the same.
 */
export function decoder(options: DecoderOptions): Decoder {
  const stage = new DecodeStage(options);
  return (found) => stage.decode(found);
}

class DecodeStage {
  readonly #destination: string;
  readonly #contracts: ContractIndex;
  readonly #clock: Clock;
  readonly #routes: ReadonlyMap<string, Routes>;
  readonly #foreign: ForeignReader | undefined;
  readonly #payloadName: string | undefined;

  constructor(options: DecoderOptions) {
    this.#destination = options.destination.name;
    this.#contracts = options.contracts;
    this.#clock = options.clock;
    this.#payloadName = options.payloadName;
    this.#routes = routesOf(options.service.handlers);
    this.#foreign = options.mapping && new ForeignReader({ ...options, mapping: options.mapping, destination: this.#destination });
  }

  decode(found: Decodable): MaybePromise<Decoded> {
    const { envelope } = found;
    if (this.#foreign !== undefined) return this.#decodeForeign(this.#foreign, found);
    if (envelope !== undefined) return this.#sort(envelope, found.body, undefined);
    return this.#headless(explain(found));
  }

  #decodeForeign(foreign: ForeignReader, found: Decodable): MaybePromise<Decoded> {
    const { envelope, body } = found;
    if (envelope !== undefined && !isForeign(envelope)) return this.#sort(withoutClaims(envelope), body, undefined);
    const reading = foreign.read(found);
    if (reading.envelope === undefined) return this.#headless(reading.unreadable);
    return this.#sort(reading.envelope, body, reading.json);
  }

  #headless(detail: string): Decoded {
    return unreadable(undefined, fail("PR_ENVELOPE_UNREADABLE", { destination: this.#destination, detail }));
  }

  #sort(envelope: Envelope, wire: WireBody, parsed: JsonReading | undefined): MaybePromise<Decoded> {
    const routes = this.#routes.get(envelope.type);
    if (routes === undefined) return { kind: this.#isElsewhere(envelope) ? "notSubscribed" : "unhandled", envelope };
    if (envelope.kind !== routes.kind) return this.#otherKind(envelope, routes);
    const route = routes.find(envelope.contractversion);
    if (route === undefined && routes.readsAnother(envelope)) return { kind: "notSubscribed", envelope };
    if (isExpired(envelope, this.#clock)) return this.#expired(envelope, route, wire, parsed);
    if (route === undefined) return unreadable(envelope, versionUnknown(envelope.type, envelope.contractversion, routes.readable));
    const json = parsed ?? this.#parse(envelope, wire);
    if (json.unreadable !== undefined)
      return unreadable(envelope, fail("PR_BODY_UNREADABLE", { destination: this.#destination, detail: json.unreadable }));
    return read(route, envelope, json.value);
  }

  #isElsewhere(envelope: Envelope): boolean {
    return envelope.kind === "event" && this.#contracts.family(envelope.type)?.kind === "event";
  }

  /** A reply is nothing for a handler; a command that says that it is an event, or the other way round, is somebody's mistake. */
  #otherKind(envelope: Envelope, routes: Routes): Decoded {
    if (envelope.kind === "reply") return { kind: "unhandled", envelope };
    const detail = `it is of kind ${envelope.kind}, but ${envelope.type} is of kind ${routes.kind}`;
    return unreadable(envelope, fail("PR_ENVELOPE_UNREADABLE", { destination: this.#destination, detail }));
  }

  /** What a `where` leaves out is not this service's to expire. */
  #expired(envelope: Envelope, route: Route | undefined, wire: WireBody, parsed: JsonReading | undefined): Decoded {
    if (route?.fits !== undefined) {
      const json = parsed ?? this.#parse(envelope, wire);
      const upcast = json.unreadable === undefined ? upcastBody(route.contract, envelope.contractversion, json.value) : undefined;
      if (upcast?.error === undefined && upcast !== undefined && !route.fits(upcast.body)) return { kind: "notSubscribed", envelope };
    }
    return { kind: "expired", envelope };
  }

  #parse(envelope: Envelope, wire: WireBody): JsonReading {
    if (envelope.contentencoding !== undefined)
      return { unreadable: `its content encoding ${shown(envelope.contentencoding)} is not supported` };
    if (envelope.keyid !== undefined) return { unreadable: "it is encrypted" };
    if (envelope.dataref !== undefined) return { unreadable: "its data is elsewhere" };
    if (!isJsonType(envelope.datacontenttype)) return { unreadable: `its content type ${shown(envelope.datacontenttype)} is not JSON` };
    const json = parseJson(wire);
    return this.#payloadName === undefined ? json : payloadOf(json, this.#payloadName);
  }
}

/** What a body is written around; a body without that member, an edited one say, is taken as it is. */
function payloadOf(json: JsonReading, name: string): JsonReading {
  if (json.unreadable !== undefined || typeof json.value !== "object" || json.value === null || !Object.hasOwn(json.value, name))
    return json;
  return { unreadable: undefined, value: (json.value as Readonly<Record<string, unknown>>)[name] };
}

function read(route: Route, envelope: Envelope, value: unknown): MaybePromise<Decoded> {
  const upcast = upcastBody(route.contract, envelope.contractversion, value);
  if (upcast.error !== undefined) return unreadable(envelope, upcast.error);
  if (route.fits !== undefined && !route.fits(upcast.body)) return { kind: "notSubscribed", envelope };
  const reading = validateInput(route.contract, upcast.body);
  return isPromise(reading) ? reading.then((late) => finished(route, envelope, late)) : finished(route, envelope, reading);
}

function finished(route: Route, envelope: Envelope, reading: BodyReading): Decoded {
  if (reading.error !== undefined) return unreadable(envelope, reading.error);
  const { contract } = route;
  const { body } = reading;
  let key: string | undefined;
  try {
    key = envelope.partitionkey ?? contract.key?.(body) ?? undefined; // an untyped caller's null is no key either
  } catch (cause) {
    return unreadable(
      envelope,
      fail("PR_BODY_INVALID", { contract: contract.name, version: envelope.contractversion, issues: "its key cannot be made" }, { cause }),
    );
  }
  return new Ready(route, envelope, body, key);
}

/** Of a class for the reason given at {@link listOf}. */
class Ready implements ReadyMessage {
  readonly kind = "ready";
  readonly definition: HandlerDefinition;
  readonly handlerIndex: number;
  readonly envelope: Envelope;
  readonly body: unknown;
  readonly key: string | undefined;
  readonly inboxId: string;
  readonly isAdapted: boolean;

  constructor({ definition, handlerIndex }: Route, envelope: Envelope, body: unknown, key: string | undefined) {
    this.definition = definition;
    this.handlerIndex = handlerIndex;
    this.envelope = envelope;
    this.body = body;
    this.key = key;
    this.inboxId = inboxIdOf(envelope);
    this.isAdapted = envelope.adaptedfrom !== undefined || envelope.adaptedto !== undefined;
  }
}

function unreadable(envelope: Envelope | undefined, error: PostriderError): Decoded {
  return { kind: "unreadable", error, envelope };
}

function isExpired(envelope: Envelope, clock: Clock): boolean {
  return envelope.expirytime !== undefined && Date.parse(envelope.expirytime) <= clock.now();
}
