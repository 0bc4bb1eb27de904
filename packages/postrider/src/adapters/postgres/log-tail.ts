import type { StoredMessage } from "./log-message.ts";

const MAX_MESSAGES = 4096;
const MAX_BYTES = 4 * 1024 * 1024;
const COMPACT_AFTER = 1024;

/**
 * The newest messages of a log, as this process read them, so that its subscriptions need not read them again.
 *
 * Holds every row of (`base`, `end`]; rows beyond `end` may exist.
 */
export class Tail {
  base = 0;
  end = 0;
  #messages: StoredMessage[] = [];
  #first = 0;
  #bytes = 0;
  readonly #maxMessages: number;
  readonly #maxBytes: number;

  /** What is beyond the limits is forgotten from the front. Default 4096 messages and 4 MiB. */
  constructor(limits: { readonly maxMessages: number; readonly maxBytes: number } = { maxMessages: MAX_MESSAGES, maxBytes: MAX_BYTES }) {
    this.#maxMessages = limits.maxMessages;
    this.#maxBytes = limits.maxBytes;
  }

  /** Takes committed messages, the next ones of the log; `end` is the last position that the commit gave out. */
  extend(messages: readonly StoredMessage[], end: number): void {
    for (const message of messages) {
      this.#messages.push(message);
      this.#bytes += message.bytes;
    }
    this.end = end;
    while (this.#messages.length - this.#first > this.#maxMessages || this.#bytes > this.#maxBytes) this.#dropFirst();
    if (this.#first > COMPACT_AFTER) {
      this.#messages = this.#messages.slice(this.#first);
      this.#first = 0;
    }
  }

  /** Forgets everything; the log goes on after `end`. */
  restart(end: number): void {
    this.#messages = [];
    this.#first = 0;
    this.#bytes = 0;
    this.base = end;
    this.end = end;
  }

  /** Forgets what every reader has passed: the younger the dead, the cheaper their collection. */
  dropTo(position: number): void {
    while (this.#first < this.#messages.length && this.#messages[this.#first]!.position <= position) this.#dropFirst();
    if (this.#first === this.#messages.length) {
      this.#messages = [];
      this.#first = 0;
      if (position > this.base) this.base = Math.min(position, this.end);
    }
  }

  /** Whether a reader at `position` goes by this tail, now or with the next message. */
  isWithin(position: number): boolean {
    return position >= this.base && position <= this.end;
  }

  /** Whether what follows `position` is here. */
  covers(position: number): boolean {
    return position >= this.base && position < this.end;
  }

  /** Hands the messages after `position` to `take` until it refuses one. Returns the last position that is dealt with. */
  walk(position: number, upTo: number, take: (message: StoredMessage) => boolean): number {
    const messages = this.#messages;
    for (let at = this.#after(position); at < messages.length; at++) {
      const message = messages[at]!;
      if (message.position > upTo) break;
      if (!take(message)) return message.position - 1;
    }
    return Math.min(upTo, this.end);
  }

  #after(position: number): number {
    let low = this.#first;
    let high = this.#messages.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#messages[middle]!.position <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #dropFirst(): void {
    const dropped = this.#messages[this.#first]!;
    this.#messages[this.#first++] = undefined as unknown as StoredMessage; // let go of the body now, not at the next compaction
    this.#bytes -= dropped.bytes;
    this.base = dropped.position;
  }
}
