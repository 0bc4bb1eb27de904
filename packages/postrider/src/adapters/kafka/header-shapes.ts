import { checkOf } from "../../envelope/check.ts";
import { CONTENT_TYPE, isTraceName, PREFIX } from "./wire-names.ts";

/** A header's name as it was met, and what it means. */
export interface HeaderShape {
  /** The name's bytes. */
  readonly bytes: Buffer;
  readonly name: string;
  /** The envelope's attribute, where it is one. */
  readonly attribute: string | undefined;
  readonly isContentType: boolean;
  /** Whether it is the id; and whether it is one that mostly repeats the id. */
  readonly isId: boolean;
  readonly repeatsId: boolean;
  /** Whether messages may share its value; else there is nothing to know again. */
  readonly isShared: boolean;
  /** Whether a value is one of its attribute. */
  readonly fits: (value: unknown) => boolean;
  /** Its last value: a producer's messages share most of them, and a text that is there costs nothing. */
  lastBytes: Buffer;
  lastText: string;
}

// Different in nearly every message.
const UNIQUE = new Set(["id", "causationid", "correlationid", "conversationid", "partitionkey", "subject", "inreplyto", "traceparent"]);
const MAX_PLACES = 64;
const MAX_KEPT_VALUE_BYTES = 64;
const NOTHING = Buffer.alloc(0);

/**
 * Knows headers again by their place: the messages of one producer have the same names in the same order, so a comparison of bytes
 * mostly stands in for a new text, for names as well as for values that do not change.
 */
export class HeaderShapes {
  readonly #places: HeaderShape[] = [];

  /** The name at a place among a record's headers. */
  nameAt(place: number, buffer: Buffer, at: number, length: number): HeaderShape {
    const known = this.#places[place];
    if (known !== undefined && isSame(known.bytes, buffer, at, length)) return known;
    const shape = shapeOf(buffer, at, length);
    if (place < MAX_PLACES) this.#places[place] = shape;
    return shape;
  }
}

/** The value's text where it is the last one's again; undefined else. */
export function sameValue(shape: HeaderShape, buffer: Buffer, at: number, length: number): string | undefined {
  return shape.lastBytes.length === length && length > 0 && isSame(shape.lastBytes, buffer, at, length) ? shape.lastText : undefined;
}

/** Whether two stretches of a buffer are the same. */
export function isRepeated(buffer: Buffer, at: number, other: number, length: number): boolean {
  // From the end, as ids of one time begin alike.
  for (let index = length - 1; index >= 0; index--) if (buffer[at + index] !== buffer[other + index]) return false;
  return true;
}

/** Remembers a value, if it is short. */
export function keepValue(shape: HeaderShape, buffer: Buffer, at: number, length: number, text: string): void {
  if (length > MAX_KEPT_VALUE_BYTES) return;
  // In place where it fits: most values that change keep their length.
  if (shape.lastBytes.length !== length) shape.lastBytes = Buffer.allocUnsafe(length);
  buffer.copy(shape.lastBytes, 0, at, at + length);
  shape.lastText = text;
}

function shapeOf(buffer: Buffer, at: number, length: number): HeaderShape {
  const bytes = Buffer.from(buffer.subarray(at, at + length));
  const name = bytes.toString();
  const lower = name.toLowerCase();
  const attribute = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : isTraceName(lower) ? lower : undefined;
  return {
    bytes,
    name,
    attribute,
    isContentType: lower === CONTENT_TYPE,
    isId: attribute === "id",
    repeatsId: attribute === "correlationid" || attribute === "conversationid",
    isShared: attribute !== undefined && !UNIQUE.has(attribute),
    fits: checkOf(attribute ?? ""),
    lastBytes: NOTHING,
    lastText: "",
  };
}

function isSame(known: Buffer, buffer: Buffer, at: number, length: number): boolean {
  if (known.length !== length) return false;
  // From the end: names of attributes begin alike, and so do ids of one time.
  for (let index = length - 1; index >= 0; index--) if (known[index] !== buffer[at + index]) return false;
  return true;
}
