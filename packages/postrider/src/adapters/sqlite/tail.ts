import { Fifo } from "../../base/fifo.ts";
import type { LogMessage } from "../../lanes/log-delivery.ts";

const MAX_MESSAGES = 4096;
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * The newest messages of a log, as this process wrote them, so that readers in the same process need not read them back.
 *
 * Holds every row of (`base`, `end`]; rows beyond `end` may exist, written by others.
 */
export class Tail {
  base = 0;
  end = 0;
  #messages = new Fifo<LogMessage>();
  #bytes = 0;

  /** Takes committed messages, the next ones of the log; `end` is the last position that the commit gave out. */
  extend(messages: readonly LogMessage[], end: number): void {
    for (const message of messages) {
      this.#messages.push(message);
      this.#bytes += message.bytes;
    }
    this.end = end;
    while (this.#messages.length > MAX_MESSAGES || this.#bytes > MAX_BYTES) this.#dropFirst();
  }

  /** Forgets everything; the log goes on after `end`. */
  restart(end: number): void {
    this.#messages = new Fifo();
    this.#bytes = 0;
    this.base = end;
    this.end = end;
  }

  /** Forgets what every reader has passed: the younger the dead, the cheaper their collection. */
  dropTo(position: number): void {
    while (this.#messages.length > 0 && this.#messages.at(0)!.position <= position) this.#dropFirst();
    if (this.#messages.length === 0 && position > this.base) this.base = Math.min(position, this.end);
  }

  /** Whether what follows `position` is here. */
  covers(position: number): boolean {
    return position >= this.base && position < this.end;
  }

  /** Hands the messages after `position` to `take` until it refuses one. Returns the last position that is dealt with. */
  walk(position: number, upTo: number, take: (message: LogMessage) => boolean): number {
    const messages = this.#messages;
    for (let at = this.#after(position); at < messages.length; at++) {
      const message = messages.at(at)!;
      if (message.position > upTo) break;
      if (!take(message)) return message.position - 1;
    }
    return Math.min(upTo, this.end);
  }

  #after(position: number): number {
    let low = 0;
    let high = this.#messages.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#messages.at(middle)!.position <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #dropFirst(): void {
    const dropped = this.#messages.shift()!;
    this.#bytes -= dropped.bytes;
    this.base = dropped.position;
  }
}
