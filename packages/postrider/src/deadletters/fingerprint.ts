import { hash } from "node:crypto";

/** What tells one cause from another. */
export interface Cause {
  readonly service: string;
  readonly contract: string;
  readonly code: string;
  readonly reason: string;
  readonly stack: string | undefined;
}

const FINGERPRINT_CHARACTERS = 16; // of hex: 64 bits tell the causes of one app apart
const MAX_REASON_CHARACTERS = 500; // what follows is more often the message's own content than its cause

/**
 * What letters of one cause share: the same failure of the same handler at the same line, whatever ids, numbers and quoted values it names.
 *
 * Stable over releases of the failing program as far as its own lines do not move: of the stack only the function and file of the first own frame count.
 */
export function fingerprint(cause: Cause): string {
  const parts = [cause.service, cause.contract, cause.code, normalised(cause.reason), ownFrame(cause.stack)];
  return hash("sha256", parts.join("\u0000"), "hex").slice(0, FINGERPRINT_CHARACTERS);
}

// In this order: a uuid holds numbers, and a quoted value may hold anything.
const VARIABLE: readonly (readonly [RegExp, string])[] = [
  [/"[^"\n]*"|'[^'\n]*'|`[^`\n]*`|“[^”\n]*”|„[^“”\n]*[“”]|‘[^’\n]*’/g, "<text>"],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, "<id>"],
  [/\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?/g, "<time>"],
  [/[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g, "<address>"],
  [/\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b/gi, "<id>"],
  // An id such as o-17 or order_42: letters, a joint, digits.
  [/\b[a-z]+[-_]\d[\w-]*/gi, "<id>"],
  [/[-+]?\d+(?:[.,:]\d+)*/g, "<n>"],
];

function normalised(reason: string): string {
  let text = reason.slice(0, MAX_REASON_CHARACTERS);
  for (const [pattern, stand] of VARIABLE) text = text.replace(pattern, stand);
  return text.replace(/\s+/g, " ").trim().toLowerCase();
}

const FRAME = /^\s+at (?:async )?(?:(.+?) \()?(?:file:\/\/)?(.+?):\d+:\d+\)?$/;
// Both bound what the pattern can cost: a thrown value's stack may be anything.
const MAX_STACK_CHARACTERS = 8000;
const MAX_FRAME_CHARACTERS = 500;

/** Function and file of the first frame that is neither Node's nor a package's; line and column change with every edit and are left out. */
function ownFrame(stack: string | undefined): string {
  for (const line of (stack ?? "").slice(0, MAX_STACK_CHARACTERS).split("\n")) {
    const frame = line.length > MAX_FRAME_CHARACTERS ? null : FRAME.exec(line);
    if (frame === null || /node:|node_modules|<anonymous>/.test(frame[2]!)) continue;
    // The folders above differ from machine to machine.
    return `${frame[1] ?? ""}@${frame[2]!.split(/[\\/]/).slice(-2).join("/")}`;
  }
  return "";
}
