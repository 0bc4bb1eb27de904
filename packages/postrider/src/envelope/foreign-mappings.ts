import type { FoundMessage, Headers } from "./envelope.ts";
import type { ForeignIdentity, ForeignMapping } from "./foreign.ts";
import { identityOf, plainName } from "./foreign-values.ts";
import type { RawIdentity, TypeNames } from "./foreign-values.ts";
import { textOf } from "./json.ts";

/** How a foreign sender names the parts of a message's identity. Several names: the first that is there. */
export interface IdentityNames {
  readonly type?: readonly string[];
  readonly version?: readonly string[];
  /** An empty list: its ids are not to be believed; messages are known by their position. */
  readonly id?: readonly string[];
  readonly correlationId?: readonly string[];
  readonly causationId?: readonly string[];
  readonly time?: readonly string[];
  readonly key?: readonly string[];
}

/** What {@link headerIdentity} takes. */
export interface HeaderIdentityOptions {
  /** Beside the defaults, which stay for what is not named here. Snake, kebab and camel case are one. */
  readonly names?: IdentityNames;
  readonly types?: TypeNames;
}

/** What {@link bodyIdentity} takes. */
export interface BodyIdentityOptions extends HeaderIdentityOptions {
  /** Names may also be dotted paths, such as `meta.id`. */
  readonly names?: IdentityNames & { readonly payload?: readonly string[] };
}

/**
 * Reads messages whose identity is in headers: `event-type`, `event-version`, `event-id`, `correlation-id` …
 *
 * The whole body is the contract's body. A type may end in its version: `member.updated.v1`.
 */
export function headerIdentity(options: HeaderIdentityOptions = {}): ForeignMapping {
  const names = plainNames({ ...HEADER_NAMES, ...options.names });
  return (found) => {
    const headers = plainHeaders(found.headers);
    const valueOf = (part: keyof IdentityNames): unknown => firstOf(names[part], (name) => headers.get(name));
    return identityOf(rawIdentity(valueOf), options.types);
  };
}

/**
 * Reads messages whose identity is in the body: `event_id`, `eventType`, `occurred_at`, `version`, around `payload` or `data`.
 *
 * Without a payload member the whole body is the contract's body; then a bare `id` is taken for the business's own and not
 * for the message's, and a bare `version` only counts beside `event_id` or `event_type`.
 */
export function bodyIdentity(options: BodyIdentityOptions = {}): ForeignMapping {
  const names: Names = { ...BODY_NAMES, ...options.names };
  const own = new Set(Object.values(options.names ?? {}).flat());
  return (_found: FoundMessage, body: unknown) => {
    if (typeof body !== "object" || body === null || Array.isArray(body)) return undefined;
    const fields = plainFields(body);
    const read = (name: string): unknown => (name.includes(".") ? valueAt(body, name.split(".")) : fields.get(plainName(name)));
    const payload = firstOf(names.payload, read);
    const isWrapped = payload !== undefined;
    const isEvent = isWrapped || SURE_NAMES.some((name) => fields.has(name));
    const isBelieved = (name: string): boolean => own.has(name) || (name === "id" ? isWrapped : name === "version" ? isEvent : true);
    const valueOf = (part: keyof IdentityNames): unknown => firstOf(names[part].filter(isBelieved), read);
    return identityOf({ ...rawIdentity(valueOf), payload }, options.types);
  };
}

/** Reads messages by the first mapping that fits. */
export function mappings(...list: readonly ForeignMapping[]): ForeignMapping {
  return (found, body) => {
    for (const mapping of list) {
      const identity: ForeignIdentity | undefined = mapping(found, body);
      if (identity !== undefined) return identity;
    }
    return undefined;
  };
}

type HeaderNames = Required<IdentityNames>;
type Names = HeaderNames & { readonly payload: readonly string[] };

const HEADER_NAMES: HeaderNames = {
  type: ["event-type", "message-type", "type"],
  version: ["event-version", "message-version", "schema-version", "version"],
  id: ["event-id", "message-id", "id"],
  correlationId: ["correlation-id"],
  causationId: ["causation-id"],
  time: ["occurred-at", "event-time", "timestamp", "time"],
  key: ["partition-key", "message-key", "event-key"],
};
const BODY_NAMES: Names = { ...HEADER_NAMES, key: ["partition-key"], payload: ["payload", "data"] };
const SURE_NAMES = ["eventid", "eventtype", "messageid", "messagetype"];

function rawIdentity(valueOf: (part: keyof IdentityNames) => unknown): RawIdentity {
  return {
    type: valueOf("type"),
    version: valueOf("version"),
    id: valueOf("id"),
    correlationId: valueOf("correlationId"),
    causationId: valueOf("causationId"),
    time: valueOf("time"),
    key: valueOf("key"),
  };
}

function firstOf(names: readonly string[], read: (name: string) => unknown): unknown {
  for (const name of names) {
    const value = read(name);
    if (value !== undefined && value !== null && value !== "") return value;
  }
  return undefined;
}

function plainNames(names: HeaderNames): HeaderNames {
  return Object.fromEntries(Object.entries(names).map(([part, list]) => [part, list.map(plainName)])) as unknown as HeaderNames;
}

function plainHeaders(headers: Headers): ReadonlyMap<string, string | undefined> {
  const plain = new Map<string, string | undefined>();
  // Of two spellings the first wins: a later copy must not change what a message is.
  for (const name of Object.keys(headers)) if (!plain.has(plainName(name))) plain.set(plainName(name), textOf(headers[name]!));
  return plain;
}

function plainFields(body: object): ReadonlyMap<string, unknown> {
  const plain = new Map<string, unknown>();
  for (const [name, value] of Object.entries(body)) if (!plain.has(plainName(name))) plain.set(plainName(name), value);
  return plain;
}

function valueAt(body: unknown, steps: readonly string[]): unknown {
  let value = body;
  for (const step of steps) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[step];
  }
  return value;
}
