import { ATTRIBUTE_PREFIXES } from "./attributes.ts";
import type { FoundMessage } from "./envelope.ts";
import type { ForeignMapping } from "./foreign.ts";
import { identityOf } from "./foreign-values.ts";
import type { TypeNames } from "./foreign-values.ts";
import { parseJson, textOf } from "./json.ts";

/**
 * Reads CloudEvents 1.0 of other senders, in binary or structured mode.
 *
 * CloudEvents are unique by `source` and `id` together, so the message's id is made of both, unless the id is a UUID.
 */
export function cloudEventsIdentity(options: { readonly types?: TypeNames } = {}): ForeignMapping {
  return (found, body) => {
    const inHeaders = headerAttributes(found);
    const event = inHeaders ?? bodyAttributes(body);
    if (event === undefined || typeof event["type"] !== "string" || event["type"] === "") return undefined;
    const raw = {
      type: event["type"],
      id: idOf(event),
      time: event["time"],
      correlationId: event["correlationid"],
      causationId: event["causationid"],
      key: event["partitionkey"],
    };
    return identityOf(inHeaders === undefined ? { ...raw, payload: dataOf(event) } : raw, options.types);
  };
}

type Attributes = Readonly<Record<string, unknown>>;

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function headerAttributes(found: FoundMessage): Attributes | undefined {
  const names = Object.keys(found.headers);
  const prefix = ATTRIBUTE_PREFIXES.find((one) => names.some((name) => name.toLowerCase() === `${one.toLowerCase()}specversion`));
  if (prefix === undefined) return undefined;
  const attributes = Object.create(null) as Record<string, unknown>;
  for (const name of names) {
    if (name.toLowerCase().startsWith(prefix.toLowerCase()))
      attributes[name.slice(prefix.length).toLowerCase()] ??= textOf(found.headers[name]!);
  }
  return attributes["specversion"] === "1.0" ? attributes : undefined;
}

function bodyAttributes(body: unknown): Attributes | undefined {
  if (typeof body !== "object" || body === null || !Object.hasOwn(body, "specversion")) return undefined;
  return (body as Attributes)["specversion"] === "1.0" ? (body as Attributes) : undefined;
}

function idOf(event: Attributes): string | undefined {
  const { id, source } = event;
  if (typeof id !== "string" || id === "") return undefined;
  return UUID.test(id) || typeof source !== "string" ? id : `${source}#${id}`;
}

/** `null` where an event carries no data: then the document around it is not the body either. */
function dataOf(event: Attributes): unknown {
  const { data, data_base64: base64 } = event;
  if (data !== undefined) return data;
  if (typeof base64 !== "string") return null;
  const reading = parseJson(Buffer.from(base64, "base64"));
  return reading.unreadable === undefined ? reading.value : null;
}
