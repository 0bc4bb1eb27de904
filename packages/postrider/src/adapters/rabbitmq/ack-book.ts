import type { Clock, Timer } from "../../base/clock.ts";

/** The part of a channel that acknowledges. */
export interface AckChannel {
  ack(tag: number, isUpTo: boolean): void;
}

const GAP_WAIT_MS = 25;

/**
 * Acknowledges the messages of one channel with few words: what is settled without a gap goes in one, what is beyond a gap soon after.
 *
 * A gap is a message that takes longer than those behind it. These are not kept back for it: the broker would stop sending once the prefetch is used up.
 */
export class AckBook {
  readonly #channel: AckChannel;
  readonly #clock: Clock;
  readonly #maxGap: number;
  /** Every tag up to here is acknowledged. */
  #done = 0;
  /** Settled and not acknowledged, beyond `#done`. */
  readonly #settled = new Set<number>();
  /** Acknowledged alone, beyond `#done`. */
  readonly #alone = new Set<number>();
  #isFlushing = false;
  #gapTimer: Timer | undefined;
  #isClosed = false;

  /** `maxGap`: so many may wait behind a gap before they go alone. */
  constructor(channel: AckChannel, clock: Clock, maxGap: number) {
    this.#channel = channel;
    this.#clock = clock;
    this.#maxGap = maxGap;
  }

  /** A message is settled. */
  settle(tag: number): void {
    this.#settled.add(tag);
    if (this.#isFlushing || this.#isClosed) return;
    this.#isFlushing = true;
    void this.#clock.yield().then(() => {
      this.#isFlushing = false;
      this.#flushPrefix();
      if (this.#settled.size > this.#maxGap) this.#flushGap();
      else if (this.#settled.size > 0) this.#gapTimer ??= this.#clock.after(GAP_WAIT_MS, () => this.#flushGap());
    });
  }

  /** Acknowledges all that is settled. */
  flush(): void {
    this.#flushPrefix();
    this.#flushGap();
  }

  /** Says nothing more: the channel is gone. */
  close(): void {
    this.#isClosed = true;
    this.#gapTimer?.cancel();
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
    this.#gapTimer?.cancel();
    this.#gapTimer = undefined;
    for (const tag of this.#settled) {
      this.#alone.add(tag);
      if (!this.#isClosed) this.#channel.ack(tag, false);
    }
    this.#settled.clear();
  }
}
