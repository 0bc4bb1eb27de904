import type { Clock } from "../../base/clock.ts";
import { answerOf } from "./answer.ts";
import type { AmqpChannel, AmqpMessage } from "./vendor.ts";

const ASSUMED_BYTES = 32 * 1024; // of a message, before any was seen
const WEIGHT = 0.05; // of the latest message in the average

/** What a lane's flow is made of. */
export interface LaneFlowOptions {
  readonly clock: Clock;
  readonly queue: string;
  /** The most messages that the broker may send ahead. */
  readonly maxCount: number;
  /** About so many bytes it may send ahead. */
  readonly maxBytes: number;
}

/**
 * Reads a lane's queue with a prefetch in messages that stands for one in bytes: the broker knows only the former, so it follows the average size.
 *
 * States: *reading* → *turning* (another prefetch is wanted: what comes now is not taken, for it will come again) → *reading*, on another channel, once all that was taken is settled.
 *
 * The channel closes with its consumer: what is not settled goes back at once and in its order, and nobody has anything of the queue before that. A consumer that were cancelled would
 * end before what is on its way to it is back, and who reads on might get later messages first.
 */
export class LaneFlow {
  readonly #options: LaneFlowOptions;
  #averageBytes = ASSUMED_BYTES;
  #prefetch = 0;
  #isTurning = false;

  constructor(options: LaneFlowOptions) {
    this.#options = options;
  }

  /** Whether what comes is not to be taken. */
  get isTurning(): boolean {
    return this.#isTurning;
  }

  /** Begins to read on a channel of its own. */
  async start(channel: AmqpChannel, onMessage: (message: AmqpMessage | null) => void): Promise<void> {
    const { clock, queue } = this.#options;
    this.#isTurning = false;
    this.#prefetch = this.#wantedPrefetch();
    await answerOf(clock, "taking a lane", channel.prefetch(this.#prefetch));
    await answerOf(clock, "taking a lane", channel.consume(queue, onMessage));
  }

  /** A message was taken; `unsettledBytes` are those of the lane, with it. */
  arrived(bytes: number, unsettledBytes: number): void {
    this.#averageBytes += (bytes - this.#averageBytes) * WEIGHT;
    if (bytes > this.#averageBytes * 8) this.#averageBytes = bytes; // large ones seldom come alone
    if (unsettledBytes > this.#options.maxBytes && this.#wantedPrefetch() < this.#prefetch) this.#isTurning = true;
  }

  /** Nothing of the lane is unsettled now. Whether it is to read on on another channel. */
  emptied(): boolean {
    if (this.#wantedPrefetch() >= this.#prefetch * 2) this.#isTurning = true;
    return this.#isTurning;
  }

  #wantedPrefetch(): number {
    const { maxCount, maxBytes } = this.#options;
    return Math.max(1, Math.min(maxCount, Math.floor(maxBytes / Math.max(1, this.#averageBytes))));
  }
}
