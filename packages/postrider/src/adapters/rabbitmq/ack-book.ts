import type { Clock, Timer } from "../../base/clock.ts";

/** The part of a channel that acknowledges. */
export interface AckChannel {
  ack(tag: number, isUpTo: boolean): void;
}

const MERGE_MS = 20; // what is settled meanwhile goes in one: each word costs the broker an entry in the log of a quorum queue

/**
 * Acknowledges the messages of one channel with few words: those of a moment together, without a gap in one, beyond a gap one by one. Many go at once.
 *
 * A gap is a message that takes longer than those behind it. These are not kept back for it: the broker would stop sending once the prefetch is used up.
 */
export class AckBook {
  readonly #channel: AckChannel;
  readonly #clock: Clock;
  readonly #maxWaiting: number;
  /** Every tag up to here is acknowledged. */
  #done = 0;
  /** Settled and not acknowledged, beyond `#done`. */
  readonly #settled = new Set<number>();
  /** Acknowledged alone, beyond `#done`. */
  readonly #alone = new Set<number>();
  #isFlushing = false;
  #timer: Timer | undefined;
  #isClosed = false;

  /** `maxWaiting`: so many may wait for others before they go. */
  constructor(channel: AckChannel, clock: Clock, maxWaiting: number) {
    this.#channel = channel;
    this.#clock = clock;
    this.#maxWaiting = maxWaiting;
  }

  /** A message is settled. */
  settle(tag: number): void {
    this.#settled.add(tag);
    if (this.#isFlushing || this.#isClosed) return;
    if (this.#settled.size <= this.#maxWaiting) {
      this.#timer ??= this.#clock.after(MERGE_MS, () => this.flush());
      return;
    }
    this.#isFlushing = true;
    void this.#clock.yield().then(() => {
      this.#isFlushing = false;
      this.#flushPrefix();
      if (this.#settled.size > this.#maxWaiting) this.flush();
    });
  }

  /** Acknowledges all that is settled. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#flushPrefix();
    this.#flushGap();
  }

  /** Says nothing more: the channel is gone. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
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
