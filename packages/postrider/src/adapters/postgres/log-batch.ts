import { laneOf } from "../../base/ids.ts";
import { bodyBytes } from "../../envelope/envelope.ts";
import type { Outgoing, WireBody } from "../../envelope/envelope.ts";
import type { KnownDestination } from "./log-destinations.ts";
import { envelopeText, headersText } from "./log-codec.ts";
import { FLAGS } from "./log-schema.ts";

/** A message with where it goes: a destination, or the address of who waits for an answer. */
export interface Placed {
  readonly message: Outgoing;
  readonly place: KnownDestination | "reply";
}

/** Who appends, so that a batch whose answer got lost is not written twice. */
export interface BatchIdentity {
  readonly sender: string;
  /** Grows by one with each batch of the sender. */
  readonly number: number;
}

// A reply that nobody fetches and that does not say when it expires.
const REPLY_KEPT_MS = 60_000;

/** The parameters of `pr_append`, as they are when this is called: what the sender changes afterwards changes nothing. */
export function appendValues(batch: readonly Placed[], identity: BatchIdentity | undefined, nowMs: number): unknown[] {
  const columns = new BatchColumns();
  for (const placed of batch) columns.add(placed, nowMs);
  return [identity?.sender ?? null, identity?.number ?? null, ...columns.values()];
}

/** The call of an append, with its parameters from `$first` on. */
export function appendCall(schema: string, first: number): string {
  return `${schema}.pr_append(${Array.from({ length: APPEND_PARAMETERS }, (_, at) => `$${first + at}`).join(", ")})`;
}

const APPEND_PARAMETERS = 14;

/** What an append has written, by destination: each message with its position. Empty for a batch that was written before. */
export function writtenOf(placed: readonly Placed[], positions: readonly string[] | null): ReadonlyMap<number, readonly WrittenMessage[]> {
  const written = new Map<number, WrittenMessage[]>();
  if (positions === null) return written;
  for (const { message, place } of placed) {
    if (place === "reply") continue;
    const sameDestination = written.get(place.id);
    const one = { message, lane: laneOfMessage(message, place), position: 0 };
    if (sameDestination === undefined) written.set(place.id, [one]);
    else sameDestination.push(one);
  }
  let at = 0;
  for (const id of [...written.keys()].toSorted((one, other) => one - other))
    for (const one of written.get(id)!) one.position = Number(positions[at++]);
  return written;
}

/** A message that is committed, with its place. */
export interface WrittenMessage {
  readonly message: Outgoing;
  readonly lane: number;
  position: number;
}

function laneOfMessage({ envelope }: Outgoing, { lanes }: KnownDestination): number {
  return laneOf(envelope.partitionkey ?? envelope.id, lanes);
}

/** A batch by columns: texts and bodies in one block of bytes, which travels as it is, and where in it each of them is. */
class BatchColumns {
  readonly #destinations: number[] = [];
  readonly #sequences: number[] = [];
  readonly #lanes: number[] = [];
  readonly #flags: number[] = [];
  readonly #types: string[] = [];
  readonly #starts: number[] = [];
  readonly #heads: number[] = [];
  readonly #headers: number[] = [];
  readonly #bodies: number[] = [];
  readonly #parts: (string | Uint8Array)[] = [];
  readonly #addresses: (string | null)[] = [];
  readonly #expiries: number[] = [];
  #bytes = 0;
  #hasReplies = false;

  add({ message, place }: Placed, nowMs: number): void {
    const { envelope, headers, body } = message;
    const isReply = place === "reply";
    this.#hasReplies ||= isReply;
    this.#destinations.push(isReply ? 0 : place.id);
    this.#sequences.push(isReply ? 0 : place.sequence);
    this.#lanes.push(isReply ? 0 : laneOfMessage(message, place));
    this.#flags.push(flagsOf(message));
    this.#types.push(textElement(envelope.type));
    this.#addresses.push(isReply ? textElement(message.destination) : "NULL");
    this.#expiries.push(isReply ? expiryOf(message, nowMs) : 0);
    this.#starts.push(this.#bytes);
    this.#heads.push(this.#part(envelopeText(envelope)));
    this.#headers.push(this.#part(headersText(headers)));
    this.#bodies.push(this.#part(body));
  }

  values(): unknown[] {
    const numbers = [this.#destinations, this.#sequences, this.#lanes, this.#flags];
    const lengths = [this.#starts, this.#heads, this.#headers, this.#bodies];
    return [
      ...numbers.map(list),
      list(this.#types),
      ...lengths.map(list),
      this.#block(),
      this.#hasReplies ? list(this.#addresses) : null,
      this.#hasReplies ? list(this.#expiries) : null,
    ];
  }

  #part(part: string | Uint8Array): number {
    const bytes = bodyBytes(part);
    this.#parts.push(part);
    this.#bytes += bytes;
    return bytes;
  }

  #block(): Buffer {
    const block = Buffer.allocUnsafe(this.#bytes);
    let at = 0;
    for (const part of this.#parts) {
      if (typeof part === "string") {
        at += block.write(part, at, "utf8");
      } else {
        block.set(part, at);
        at += part.byteLength;
      }
    }
    return block;
  }
}

function flagsOf({ envelope, mayRepeat, body }: Outgoing): number {
  return (envelope.priority === "high" ? FLAGS.high : 0) | (mayRepeat ? FLAGS.mayRepeat : 0) | textFlag(body);
}

function textFlag(body: WireBody): number {
  if (typeof body !== "string") return 0;
  return body.includes("\u0000") ? FLAGS.nulText : FLAGS.text;
}

function expiryOf({ envelope }: Outgoing, nowMs: number): number {
  const expiry = Date.parse(envelope.expirytime ?? "");
  return Number.isNaN(expiry) ? nowMs + REPLY_KEPT_MS : expiry;
}

/** A list as an array literal of PostgreSQL; texts must be elements already. */
export function list(elements: readonly (number | string | null)[]): string {
  return `{${elements.join(",")}}`;
}

/** A text as an element of an array literal. */
function textElement(text: string): string {
  return `"${text.replaceAll("\u0000", "\ufffd").replace(/[\\"]/g, "\\$&")}"`;
}
