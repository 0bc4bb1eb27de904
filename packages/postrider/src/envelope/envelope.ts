/** What a message is: a command, an event, or the answer to a command. */
export type MessageKind = "command" | "event" | "reply";

/**
 * A message's identity: the attributes of a CloudEvents 1.0.2 event, by their registered names.
 *
 * Times are ISO 8601 in UTC. Absent attributes are absent keys, never `undefined` or empty.
 */
export interface Envelope {
  /** UUIDv7 unless the sender gave one. */
  readonly id: string;
  /** URI reference of the sending service, such as `/ordering`. */
  readonly source: string;
  /** The contract's name. */
  readonly type: string;
  readonly kind: MessageKind;
  readonly contractversion: number;
  readonly time: string;
  /** Default `application/json`. */
  readonly datacontenttype?: string;
  readonly dataschema?: string;
  readonly subject?: string;
  /** The ordering key. */
  readonly partitionkey?: string;
  /** The business thread. */
  readonly correlationid?: string;
  /** The message that caused this one. */
  readonly causationid?: string;
  /** All messages that one first message caused. */
  readonly conversationid?: string;
  /** The message that this one is an edited copy of, or its own id. Absent: its own id. */
  readonly rootid?: string;
  readonly inreplyto?: string;
  /** Where a reply goes: an address that the asking transport understands. */
  readonly replyto?: string;
  readonly expirytime?: string;
  readonly tenant?: string;
  /** The id of the message that this one is an adapted copy of. */
  readonly adaptedfrom?: string;
  /** The other versions that this message was published in, separated by spaces. */
  readonly adaptedto?: string;
  readonly priority?: "high";
  /** Reserved: claim check. */
  readonly dataref?: string;
  /** Reserved: compression. */
  readonly contentencoding?: string;
  /** Reserved: encryption. */
  readonly keyid?: string;
  readonly traceparent?: string;
  readonly tracestate?: string;
  readonly baggage?: string;
}

/** Headers beside the envelope: the user's own, or a foreign producer's. Bytes stay bytes. */
export type Headers = Readonly<Record<string, string | Uint8Array>>;

/** A body as it travels: text (UTF-8 by meaning) or bytes. A body that is not valid UTF-8 is always bytes. */
export type WireBody = string | Uint8Array;

/** A message as it travels. */
export interface WireMessage {
  readonly envelope: Envelope;
  readonly headers: Headers;
  readonly body: WireBody;
}

/** A message on its way to a destination. */
export interface Outgoing extends WireMessage {
  readonly destination: string;
  /** Whether the same id may be sent again, so that readers must look it up before they handle it. */
  readonly mayRepeat: boolean;
}

/** A message as it was found: `envelope` is absent where it is foreign or cannot be read. */
export interface FoundMessage {
  readonly envelope: Envelope | undefined;
  readonly headers: Headers;
  readonly body: WireBody;
}

/** No headers; shared, so that the common case allocates nothing. */
export const NO_HEADERS: Headers = Object.freeze(Object.create(null) as Record<string, string>);

/** The number of bytes of a body as it travels. */
export function bodyBytes(body: WireBody): number {
  return typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
}
