import { isPromise } from "../base/deferred.ts";
import type { MaybePromise } from "../base/deferred.ts";
import { fail } from "../base/errors.ts";
import { derivedId } from "../base/ids.ts";
import { listOf } from "../base/list-of.ts";
import { contextOf } from "../contracts/contract.ts";
import type { AnyContract, ContractKind } from "../contracts/contract.ts";
import { acceptedBody, adaptedCopies, validateInput } from "../contracts/read.ts";
import { ATTRIBUTE_LENGTHS } from "./check.ts";
import type { Envelope, Headers, Outgoing } from "./envelope.ts";
import type { Identify } from "./identity.ts";
import { isoTime } from "./iso-time.ts";
import { checkOptions, headersOf } from "./message-options.ts";
import type { MessageOptions } from "./message-options.ts";

/** Who sends, when and why. */
export interface OutgoingFacts {
  /** The sending service's name. */
  readonly service: string;
  /** In milliseconds since the epoch. */
  readonly nowMs: number;
  readonly identify: Identify;
  readonly maxBodyBytes: number;
  /** The message that is being handled. */
  readonly cause?: Envelope | undefined;
  /** When it will leave, for what is scheduled: it expires counted from then. Default `nowMs`. */
  readonly leavesAtMs?: number | undefined;
  /** Where a reply goes. */
  readonly replyTo?: string | undefined;
  /** The trace of what is being done now. */
  readonly trace?: Pick<Envelope, "traceparent" | "tracestate" | "baggage"> | undefined;
  /** Whether the same ids may be sent again for other reasons than those seen here: a handler without a store that runs again. */
  readonly mayRepeat?: boolean;
}

/** A message that was accepted for sending. */
export interface Draft {
  readonly id: string;
  /** The message, then its adapted copies. A promise only where the schema gives one; it then rejects with what {@link draft} throws otherwise. */
  readonly messages: MaybePromise<readonly Outgoing[]>;
}

/**
 * Makes the message of a contract, and its copies in the older versions that are published beside it.
 *
 * What travels is the body as the sender gave it, validated; transforms of its schema run where it is read. With an
 * asynchronous schema the key is not known in time, so the id is made without it.
 * @throws PR_BODY_INVALID, PR_BODY_TOO_LARGE, PR_SEND_INVALID
 */
export function draft(contract: AnyContract, body: unknown, facts: OutgoingFacts, options: MessageOptions = NO_OPTIONS): Draft {
  if (options !== NO_OPTIONS) checkOptions(contract.name, options);
  const reading = validateInput(contract, body);
  if (!isPromise(reading)) {
    const valid = acceptedBody(reading);
    const key = keyOf(contract, valid);
    const id = options.id ?? facts.identify(contract, key);
    return { id, messages: messagesOf(contract, { input: body, body: valid, key, id }, facts, options) };
  }
  const id = options.id ?? facts.identify(contract, undefined);
  const messages = reading.then((late) => {
    const valid = acceptedBody(late);
    return messagesOf(contract, { input: body, body: valid, key: keyOf(contract, valid), id }, facts, options);
  });
  return { id, messages };
}

/** The destination of a contract: `order.commands`, `order.events`. */
export function destinationOf(contract: Pick<AnyContract, "name" | "kind">): string {
  let destination = destinations.get(contract);
  if (destination === undefined) {
    destination = contextOf(contract.name) + (contract.kind === "command" ? ".commands" : ".events");
    destinations.set(contract, destination);
  }
  return destination;
}

// The same text each time: what is looked up by it is compared by place, not by letters.
const destinations = new WeakMap<object, string>();

/** Whose destination it is: that of commands, or that of events. */
export function kindOfDestination(destination: string): ContractKind {
  return destination.endsWith(".events") ? "event" : "command";
}

/**
 * The JSON text of a body.
 * @throws PR_BODY_INVALID when it has none, PR_BODY_TOO_LARGE
 */
export function bodyText(contract: Pick<AnyContract, "name">, version: number, body: unknown, maxBodyBytes: number): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(body) as string | undefined;
  } catch (cause) {
    throw fail("PR_BODY_INVALID", { contract: contract.name, version, issues: "it cannot be written as JSON" }, { cause });
  }
  if (text === undefined) throw fail("PR_BODY_INVALID", { contract: contract.name, version, issues: "it has no JSON form" });
  // A UTF-16 unit has at most three bytes in UTF-8: most texts need not be counted.
  if (text.length * 3 <= maxBodyBytes) return text;
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBodyBytes) throw fail("PR_BODY_TOO_LARGE", { contract: contract.name, bytes, limit: maxBodyBytes });
  return text;
}

const NO_OPTIONS: MessageOptions = {};

/** A message without copies. Of a class for the reason given at {@link listOf}. */
class PlainOutgoing implements Outgoing {
  readonly envelope: Envelope;
  readonly headers: Headers;
  readonly body: string;
  readonly destination: string;
  readonly mayRepeat: boolean;

  constructor(envelope: Envelope, headers: Headers, body: string, destination: string, mayRepeat: boolean) {
    this.envelope = envelope;
    this.headers = headers;
    this.body = body;
    this.destination = destination;
    this.mayRepeat = mayRepeat;
  }
}

interface Accepted {
  /** As the sender gave it. */
  readonly input: unknown;
  /** As handlers will get it. */
  readonly body: unknown;
  readonly key: string | undefined;
  readonly id: string;
}

type Writable = { -readonly [Name in keyof Envelope]: Envelope[Name] };

function keyOf(contract: AnyContract, body: unknown): string | undefined {
  if (contract.key === undefined) return undefined;
  let key: unknown;
  try {
    key = contract.key(body);
  } catch (cause) {
    throw fail("PR_BODY_INVALID", { contract: contract.name, version: contract.version, issues: "its key cannot be made" }, { cause });
  }
  if (typeof key === "string" && key.length > 0 && key.length <= ATTRIBUTE_LENGTHS.key) return key.toWellFormed();
  throw fail("PR_BODY_INVALID", {
    contract: contract.name,
    version: contract.version,
    issues: `its key must be a text of 1 to ${ATTRIBUTE_LENGTHS.key} characters`,
  });
}

function messagesOf(contract: AnyContract, message: Accepted, facts: OutgoingFacts, options: MessageOptions): readonly Outgoing[] {
  const envelope = envelopeOf(contract, message, facts, options);
  const text = bodyText(contract, contract.version, message.input, facts.maxBodyBytes);
  const shared = {
    headers: headersOf(options),
    destination: destinationOf(contract),
    mayRepeat: facts.mayRepeat === true || options.id !== undefined,
  };
  const copies = adaptedCopies(contract, message.body);
  if (copies.length === 0) return listOf(new PlainOutgoing(envelope, shared.headers, text, shared.destination, shared.mayRepeat));
  const versions = [contract.version, ...copies.map((copy) => copy.version)];
  const othersThan = (version: number): string => versions.filter((other) => other !== version).join(" ");
  return [
    { ...shared, envelope: { ...envelope, adaptedto: othersThan(contract.version) }, body: text, mayRepeat: true },
    ...copies.map((copy) => ({
      ...shared,
      envelope: {
        ...envelope,
        id: derivedId(envelope.id, "adapted", copy.version),
        contractversion: copy.version,
        adaptedfrom: envelope.id,
        adaptedto: othersThan(copy.version),
      },
      body: bodyText(contract, copy.version, copy.body, facts.maxBodyBytes),
      mayRepeat: true,
    })),
  ];
}

function envelopeOf(contract: AnyContract, message: Accepted, facts: OutgoingFacts, options: MessageOptions): Envelope {
  const envelope: Writable = {
    id: message.id,
    source: `/${facts.service}`,
    type: contract.name,
    kind: contract.kind,
    contractversion: contract.version,
    time: isoTime(facts.nowMs),
  };
  if (message.key !== undefined) envelope.partitionkey = message.key;
  addThread(envelope, facts.cause, options);
  const expiresAfterMs = options.expiresAfterMs ?? contract.expiresAfterMs;
  if (expiresAfterMs !== undefined) envelope.expirytime = isoTime((facts.leavesAtMs ?? facts.nowMs) + expiresAfterMs);
  if ((options.priority ?? contract.priority?.(message.body)) === "high") envelope.priority = "high";
  if (facts.replyTo !== undefined) envelope.replyto = facts.replyTo;
  if (facts.trace !== undefined) Object.assign(envelope, facts.trace);
  return envelope;
}

/** What ties a message to others: business thread, cause, conversation, tenant. */
function addThread(envelope: Writable, cause: Envelope | undefined, options: MessageOptions): void {
  envelope.correlationid = options.correlationId ?? cause?.correlationid ?? cause?.id ?? envelope.id;
  if (cause !== undefined) envelope.causationid = cause.id;
  envelope.conversationid = cause?.conversationid ?? cause?.id ?? envelope.id;
  const tenant = options.tenant ?? cause?.tenant;
  if (tenant !== undefined) envelope.tenant = tenant;
}
