import { isUtf8 } from "node:buffer";
import type { WireBody } from "./envelope.ts";

/** A JSON document's value, or why there is none. The reason never quotes the document. */
export type JsonReading = { readonly unreadable: undefined; readonly value: unknown } | { readonly unreadable: string };

/** How deep arrays and objects may be nested: what is deeper breaks tools that walk it by recursion. */
export const MAX_JSON_DEPTH = 200;

/**
 * Parses JSON from outside. Never throws, never quotes what it read.
 *
 * Takes a byte order mark off; refuses bytes that are not UTF-8 and nesting beyond {@link MAX_JSON_DEPTH}. Lone surrogates
 * that are escaped stay; `__proto__` and `constructor` become own properties and nothing else; of a name given twice the last wins.
 */
export function parseJson(body: WireBody): JsonReading {
  const text = textOf(body);
  if (text === undefined) return { unreadable: "it is not valid UTF-8" };
  // A text with fewer brackets than the limit cannot be too deep; the exact count is for the rest.
  if (text.length > 2 * MAX_JSON_DEPTH && hasManyBrackets(text) && isTooDeep(text))
    return { unreadable: `it is nested deeper than ${MAX_JSON_DEPTH}` };
  try {
    return { unreadable: undefined, value: JSON.parse(text) as unknown };
  } catch (error) {
    return { unreadable: syntaxDetail(text, error) };
  }
}

/** A body as text without its byte order mark; undefined where its bytes are not UTF-8. */
export function textOf(body: WireBody): string | undefined {
  if (typeof body !== "string") {
    if (!isUtf8(body)) return undefined;
    return withoutMark(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8"));
  }
  return withoutMark(body);
}

/** Whether a content type means JSON. Absent means `application/json`. */
export function isJsonType(contentType: string | undefined): boolean {
  return contentType === undefined || contentType === "application/json" || JSON_TYPE.test(contentType);
}

const JSON_TYPE = /^\s*(?:[\w!#$&^.+-]+\/[\w!#$&^.+-]+\+json|(?:application|text)\/json)\s*(?:;.*)?$/i;
const BYTE_ORDER_MARK = 0xfeff;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_SQUARE = 0x5b;
const CLOSE_SQUARE = 0x5d;
const OPEN_CURLY = 0x7b;
const CLOSE_CURLY = 0x7d;

function withoutMark(text: string): string {
  return text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text;
}

// Jumps from bracket to bracket with the engine's own search: a third of the cost of a loop over the characters.
function hasManyBrackets(text: string): boolean {
  let count = 0;
  for (let at = text.indexOf("{"); at !== -1; at = text.indexOf("{", at + 1)) if (++count > MAX_JSON_DEPTH) return true;
  for (let at = text.indexOf("["); at !== -1; at = text.indexOf("[", at + 1)) if (++count > MAX_JSON_DEPTH) return true;
  return false;
}

function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) at = endOfString(text, at);
    else if (unit === OPEN_CURLY || unit === OPEN_SQUARE) {
      if (++depth > MAX_JSON_DEPTH) return true;
    } else if (unit === CLOSE_CURLY || unit === CLOSE_SQUARE) depth--;
  }
  return false;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === BACKSLASH) at++;
    else if (unit === QUOTE) return at;
  }
  return text.length;
}

function syntaxDetail(text: string, error: unknown): string {
  if (text.trim() === "") return "it is empty";
  // The engine's message quotes the document around the mistake; only the position may leave here.
  const position = /at position (\d+)/.exec(error instanceof Error ? error.message : "")?.[1];
  return position === undefined ? "it is not JSON" : `it is not JSON, from character ${position} on`;
}
