import type { Envelope } from "./envelope.ts";

/** How {@link writeHeaders} and {@link writeBody} name things. */
export interface ForeignForm {
  /** Default `snake`: `event_id`. For headers `kebab`: `event-id`. */
  readonly case?: "snake" | "camel" | "kebab";
  /** Whether the type ends in its version: `member.updated.v1`. Default false. */
  readonly hasVersionInType?: boolean;
  /** What the body's own part is called. Default `payload`. */
  readonly payloadName?: string;
}

/** A message's identity in headers, for readers that know nothing of Postrider. `headerIdentity()` reads it back. */
export function writeHeaders(envelope: Envelope, form: ForeignForm = {}): Readonly<Record<string, string>> {
  const named = namedParts(envelope, { case: "kebab", ...form });
  const version = String(envelope.contractversion);
  return {
    "content-type": envelope.datacontenttype ?? "application/json",
    ...named,
    [nameIn(form.case ?? "kebab", "event", "version")]: version,
  };
}

/** A message's identity in the body, around what it carries, for readers that know nothing of Postrider. `bodyIdentity()` reads it back. */
export function writeBody(envelope: Envelope, body: unknown, form: ForeignForm = {}): Readonly<Record<string, unknown>> {
  return { ...namedParts(envelope, form), version: `${envelope.contractversion}.0`, [form.payloadName ?? "payload"]: body };
}

function namedParts(envelope: Envelope, form: ForeignForm): Record<string, string> {
  const style = form.case ?? "snake";
  const type = form.hasVersionInType === true ? `${envelope.type}.v${envelope.contractversion}` : envelope.type;
  const parts: Record<string, string> = {
    [nameIn(style, "event", "id")]: envelope.id,
    [nameIn(style, "event", "type")]: type,
    [nameIn(style, "occurred", "at")]: envelope.time,
  };
  if (envelope.correlationid !== undefined) parts[nameIn(style, "correlation", "id")] = envelope.correlationid;
  if (envelope.causationid !== undefined) parts[nameIn(style, "causation", "id")] = envelope.causationid;
  if (envelope.partitionkey !== undefined) parts[nameIn(style, "partition", "key")] = envelope.partitionkey;
  return parts;
}

function nameIn(style: NonNullable<ForeignForm["case"]>, first: string, second: string): string {
  if (style === "camel") return first + second[0]!.toUpperCase() + second.slice(1);
  return `${first}${style === "kebab" ? "-" : "_"}${second}`;
}
