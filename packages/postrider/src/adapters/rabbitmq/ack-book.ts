import type { Clock } from "../../base/clock.ts";

/** The part of a channel that acknowledges. */
export interface AckChannel {
  ack(tag: number, isUpTo: boolean): void;
}

const MERGE_MS = 30; // what is settled meanwhile goes in one: each word costs the broker an entry in the log of a quorum queue

/** Tells the books of a connection when their moment is over, all at once: what they say then leaves in one system call, however little each has to say. */
export class AckPulse {
  readonly clock: Clock;
  #waiting: AckBook[] = [];

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Flushes a book soon. */
  soon(book: AckBook): void {
    if (this.#waiting.push(book) === 1) this.clock.after(MERGE_MS, () => this.#beat());
  }

  #beat(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const book of waiting) book.flush();
  }
}

/**
 * Acknowledges the messages of one channel with few words: those of a moment together, without a gap in one, beyond a gap one by one. Many go at once.
 *
 * A gap is a message that takes longer than those behind it. These are not kept back for it: the broker would stop sending once the prefetch is used up.
 */
export class AckBook {
  readonly #channel: AckChannel;
  readonly #pulse: AckPulse;
  readonly #maxWaiting: number;
  /** Every tag up to here is acknowledged. */
  #done = 0;
  /** Settled and not acknowledged, beyond `#done`. */
  readonly #settled = new Set<number>();
  /** Acknowledged alone, beyond `#done`. */
  readonly #alone = new Set<number>();
  #isFlushing = false;
  #isWaiting = false;
  #isClosed = false;

  /** `maxWaiting`: so many may wait for others before they go. */
  constructor(channel: AckChannel, pulse: AckPulse, maxWaiting: number) {
    this.#channel = channel;
    this.#pulse = pulse;
    this.#maxWaiting = maxWaiting;
  }

  /** A message is settled. */
  settle(tag: number): void {
    this.#settled.add(tag);
    if (this.#isFlushing || this.#isClosed) return;
    if (this.#settled.size <= this.#maxWaiting) {
      if (!this.#isWaiting) this.#pulse.soon(this);
      this.#isWaiting = true;
      return;
    }
    this.#isFlushing = true;
    void this.#pulse.clock.yield().then(() => {
      this.#isFlushing = false;
      this.#flushPrefix();
      if (this.#settled.size > this.#maxWaiting) this.flush();
    });
  }

  /** Acknowledges all that is settled. */
  flush(): void {
    this.#isWaiting = false;
    this.#flushPrefix();
    this.#flushGap();
  }

  /** Says nothing more: the channel is gone. */
  close(): void {
    this.#isClosed = true;
  }

  #flushPrefix(): void {
    let last = 0; // the broker wants a tag there that is still out
    for (let tag = this.#done + 1; ; tag++) {
      if (this.#settled.delete(tag)) last = tag;
      else if (!this.#alone.delete(tag)) break;
      this.#done = tag;
    }
    if (last > 0 && !this.#isClosed) this.#channel.ack(last, true);
  }

  #flushGap(): void {
    for (const tag of this.#settled) {
      this.#alone.add(tag);
      if (!this.#isClosed) this.#channel.ack(tag, false);
    }
    this.#settled.clear();
  }
}
