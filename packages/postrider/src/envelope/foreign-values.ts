import { isTime } from "./check.ts";
import type { ForeignIdentity } from "./foreign.ts";

/** The parts of a foreign message's identity, as their sender named and wrote them. */
export interface RawIdentity {
  readonly type: unknown;
  readonly version?: unknown;
  readonly id?: unknown;
  readonly correlationId?: unknown;
  readonly causationId?: unknown;
  readonly time?: unknown;
  readonly key?: unknown;
  readonly payload?: unknown;
}

/** What senders call things that contracts call otherwise: their type → the contract's name, with or without `.v2`. */
export type TypeNames = Readonly<Record<string, string>>;

/** Makes an identity of what a foreign sender wrote; undefined where there is no type. */
export function identityOf(raw: RawIdentity, types: TypeNames | undefined): ForeignIdentity | undefined {
  const given = textOf(raw.type);
  if (given === undefined) return undefined;
  const named = types !== undefined && Object.hasOwn(types, given) ? types[given]! : given;
  const { type, version = versionOf(raw.version) } = splitType(named);
  return {
    type,
    ...part("version", version),
    ...part("id", textOf(raw.id)),
    ...part("correlationId", textOf(raw.correlationId)),
    ...part("causationId", textOf(raw.causationId)),
    ...part("time", timeOf(raw.time)),
    ...part("key", textOf(raw.key)),
    ...part("payload", raw.payload),
  };
}

/** A name without what differs between snake case, kebab case and camel case. */
export function plainName(name: string): string {
  return name.replace(/[-_]/g, "").toLowerCase();
}

/** `member.updated.v1` is v1 of `member.updated`. */
function splitType(name: string): { readonly type: string; readonly version?: number } {
  const suffix = /\.[vV](\d{1,9})$/.exec(name);
  return suffix === null ? { type: name } : { type: name.slice(0, suffix.index), version: Number(suffix[1]) };
}

/** The major part of `1`, `"1.0"`, `"v1"`. */
function versionOf(value: unknown): number | undefined {
  const digits = /^\s*[vV]?(\d{1,9})(?:\.\d+)*\s*$/.exec(String(textOf(value) ?? ""))?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function timeOf(value: unknown): string | undefined {
  if (isTime(value)) return value;
  const ms = typeof value === "number" ? epochMs(value) : Date.parse(textOf(value) ?? "");
  return ms >= 0 && ms <= MAX_TIME_MS ? new Date(ms).toISOString() : undefined;
}

// Seconds until the year 5138 are smaller than milliseconds since 1973.
function epochMs(value: number): number {
  return value < SECONDS_BELOW ? value * 1000 : value;
}

function textOf(value: unknown): string | undefined {
  if (typeof value === "number" && Number.isFinite(value)) return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}

function part(name: keyof ForeignIdentity, value: unknown): Partial<ForeignIdentity> {
  return value === undefined ? {} : { [name]: value };
}

const SECONDS_BELOW = 100_000_000_000;
const MAX_TIME_MS = 253_402_300_799_999; // the end of the year 9999: later ones have another form
