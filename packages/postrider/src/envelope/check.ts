import type { Envelope } from "./envelope.ts";

/**
 * Checks the attributes of an envelope that came from outside this process: types, lengths, times.
 *
 * Returns the same object where all is well, and a copy without them where attributes are null; else says what is wrong.
 * Attributes that it does not know stay, if they are named and typed as CloudEvents wants.
 */
export function checkEnvelope(value: unknown): Envelope | string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "it is not an object";
  const attributes = value as Readonly<Record<string, unknown>>;
  let count = 0;
  let required = 0;
  let hasNull = false;
  for (const name of Object.keys(attributes)) {
    const attribute = attributes[name];
    if (++count > MAX_ATTRIBUTES) return `it has more than ${MAX_ATTRIBUTES} attributes`;
    if (attribute === null || attribute === undefined) {
      hasNull = true;
      continue;
    }
    const rule = RULES.get(name);
    if (rule === undefined ? !isExtension(name, attribute) : !rule.fits(attribute)) return mistakeOf(name, rule);
    if (rule?.isRequired === true) required++;
  }
  if (required < REQUIRED.length)
    return `${REQUIRED.filter((name) => attributes[name] === undefined || attributes[name] === null).join(", ")} missing`;
  return hasNull ? withoutNulls(attributes) : (value as Envelope);
}

/** What {@link checkEnvelope} asks of one attribute's value: for who reads many messages with the same attributes, and looks it up once. */
export function checkOf(name: string): (value: unknown) => boolean {
  return RULES.get(name)?.fits ?? ((value) => isExtension(name, value));
}

/** Whether a text is a date and time with a zone, as RFC 3339 writes it. */
export function isTime(text: unknown): text is string {
  if (typeof text !== "string") return false;
  // Messages of one batch often share their millisecond, and that of their end; the pattern costs more than the comparisons.
  if (text === lastGoodTime || text === otherGoodTime) return true;
  if (text.length > MAX_TIME_LENGTH || !TIME.test(text) || Number.isNaN(Date.parse(text))) return false;
  otherGoodTime = lastGoodTime;
  lastGoodTime = text;
  return true;
}

/** The longest text of each attribute, in UTF-16 units. */
export const ATTRIBUTE_LENGTHS: Readonly<Record<"id" | "type" | "key" | "uri" | "trace" | "extension", number>> = {
  id: 512,
  type: 255, // AMQP's short string, Kafka's topic name
  key: 2048,
  uri: 2048,
  trace: 8192, // W3C baggage
  extension: 8192,
};

interface Rule {
  readonly fits: (value: unknown) => boolean;
  readonly wants: string;
  readonly isRequired: boolean;
}

const MAX_ATTRIBUTES = 100;
const MAX_TIME_LENGTH = 40;
const TIME = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;
const EXTENSION_NAME = /^[a-z0-9]{1,64}$/;
const REQUIRED = ["id", "source", "type", "kind", "contractversion", "time"] as const;
const LENGTHS = ATTRIBUTE_LENGTHS;
let lastGoodTime = "";
let otherGoodTime = "";

const text = (max: number): Omit<Rule, "isRequired"> => ({
  fits: (value) => typeof value === "string" && value.length > 0 && value.length <= max,
  wants: `a text of 1 to ${max} characters`,
});
const time: Omit<Rule, "isRequired"> = { fits: isTime, wants: "a time like 2026-01-31T12:00:00Z" };
const oneOf = (...values: readonly string[]): Omit<Rule, "isRequired"> => ({
  fits: (value) => values.includes(value as string),
  wants: values.join(" or "),
});
const version: Omit<Rule, "isRequired"> = {
  fits: (value) => Number.isSafeInteger(value) && (value as number) >= 1,
  wants: "a whole number from 1",
};

const RULES: ReadonlyMap<string, Rule> = new Map(
  Object.entries({
    specversion: oneOf("1.0"),
    id: text(LENGTHS.id),
    source: text(LENGTHS.uri),
    type: text(LENGTHS.type),
    kind: oneOf("command", "event", "reply"),
    contractversion: version,
    time,
    datacontenttype: text(LENGTHS.type),
    dataschema: text(LENGTHS.uri),
    subject: text(LENGTHS.key),
    partitionkey: text(LENGTHS.key),
    correlationid: text(LENGTHS.id),
    causationid: text(LENGTHS.id),
    conversationid: text(LENGTHS.id),
    rootid: text(LENGTHS.id),
    inreplyto: text(LENGTHS.id),
    replyto: text(LENGTHS.uri),
    expirytime: time,
    tenant: text(LENGTHS.id),
    adaptedfrom: text(LENGTHS.id),
    adaptedto: text(LENGTHS.type),
    priority: oneOf("high"),
    dataref: text(LENGTHS.uri),
    contentencoding: text(LENGTHS.type),
    keyid: text(LENGTHS.id),
    traceparent: text(LENGTHS.trace),
    tracestate: text(LENGTHS.trace),
    baggage: text(LENGTHS.trace),
  }).map(([name, rule]) => [name, { ...rule, isRequired: (REQUIRED as readonly string[]).includes(name) }]),
);

function isExtension(name: string, value: unknown): boolean {
  if (!EXTENSION_NAME.test(name)) return false;
  if (typeof value === "string") return value.length <= LENGTHS.extension;
  return typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value));
}

function mistakeOf(name: string, rule: Rule | undefined): string {
  if (rule !== undefined) return `${name} must be ${rule.wants}`;
  return EXTENSION_NAME.test(name)
    ? `${name} must be a text, a number or a boolean of at most ${LENGTHS.extension} characters`
    : "an attribute's name has other characters than a-z and 0-9";
}

function withoutNulls(attributes: Readonly<Record<string, unknown>>): Envelope {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== null && value !== undefined)) as unknown as Envelope;
}
