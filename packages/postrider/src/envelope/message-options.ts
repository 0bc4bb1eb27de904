import { fail } from "../base/errors.ts";
import { MAX_EXPIRY_MS } from "../contracts/contract.ts";
import { isReservedHeader } from "./attributes.ts";
import { NO_HEADERS } from "./envelope.ts";
import type { Headers } from "./envelope.ts";

/** What a sender may say of one message. */
export interface MessageOptions {
  /** The caller's own id: the same id is handled once. Default: a new one. */
  readonly id?: string;
  /** Headers of the user's own. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly correlationId?: string;
  /** Overrides the contract's. */
  readonly priority?: "high" | "normal";
  /** Overrides the contract's, in milliseconds from when it leaves. */
  readonly expiresAfterMs?: number;
  readonly tenant?: string;
}

/**
 * Checks what a sender said of a message.
 * @throws PR_SEND_INVALID with every mistake
 */
export function checkOptions(contract: string, options: MessageOptions): void {
  const mistakes: string[] = [];
  checkId("id", options.id, mistakes);
  checkId("correlationId", options.correlationId, mistakes);
  checkId("tenant", options.tenant, mistakes);
  const { priority, expiresAfterMs } = options;
  if (priority !== undefined && priority !== "high" && priority !== "normal") mistakes.push(`priority must be "high" or "normal"`);
  if (expiresAfterMs !== undefined && !(expiresAfterMs > 0 && expiresAfterMs <= MAX_EXPIRY_MS))
    mistakes.push(`expiresAfterMs must be more than 0 and at most ${MAX_EXPIRY_MS}`);
  if (options.headers !== undefined) checkHeaders(options.headers, mistakes);
  if (mistakes.length > 0) throw fail("PR_SEND_INVALID", { contract, mistakes: mistakes.slice(0, MAX_MISTAKES).join("; ") });
}

/** The headers of a message: a copy that cannot change, without a prototype. */
export function headersOf(options: MessageOptions): Headers {
  if (options.headers === undefined) return NO_HEADERS;
  return Object.freeze(Object.assign(Object.create(null) as Record<string, string>, options.headers));
}

const MAX_ID_LENGTH = 200; // fits every broker's id and every store's index
const MAX_HEADER_BYTES = 64 * 1024;
const MAX_MISTAKES = 10;
const HEADER_NAME = /^[\u0021-\u007e]{1,200}$/;
const BREAKS = /[\r\n\0]/;

function checkId(name: string, id: string | undefined, mistakes: string[]): void {
  if (id === undefined) return;
  if (typeof id !== "string" || id.length === 0 || id.length > MAX_ID_LENGTH)
    mistakes.push(`${name} must be a text of 1 to ${MAX_ID_LENGTH} characters`);
  else if (BREAKS.test(id) || !id.isWellFormed()) mistakes.push(`${name} must not hold line breaks, NUL or lone surrogates`);
}

function checkHeaders(headers: Readonly<Record<string, string>>, mistakes: string[]): void {
  let bytes = 0;
  for (const name of Object.keys(headers)) {
    const value: unknown = headers[name];
    if (!HEADER_NAME.test(name)) mistakes.push("a header's name must be 1 to 200 visible ASCII characters");
    else if (isReservedHeader(name)) mistakes.push(`the header ${name} is Postrider's own`);
    else if (typeof value !== "string") mistakes.push(`the header ${name} must be a text`);
    else if (BREAKS.test(value) || !value.isWellFormed())
      mistakes.push(`the header ${name} must not hold line breaks, NUL or lone surrogates`);
    else bytes += name.length + Buffer.byteLength(value);
  }
  if (bytes > MAX_HEADER_BYTES) mistakes.push(`its headers have ${bytes} bytes; the limit is ${MAX_HEADER_BYTES}`);
}
