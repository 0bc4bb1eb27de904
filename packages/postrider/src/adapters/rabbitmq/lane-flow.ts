import type { Clock } from "../../base/clock.ts";
import { answerOf } from "./answer.ts";
import type { AmqpChannel, AmqpMessage } from "./vendor.ts";

const LEAST_BYTES = 4096; // of a message, as far as the prefetch goes: it bounds what the first reading is sent
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
 *
 * The queue keeps what came back apart and hands it out first, but puts what comes back later behind it: what goes back while some of that is left comes behind what follows it. So a lane's first
 * reading asks for the most there may be, whatever their size, and a later one is given up only once what comes is new.
 */
export class LaneFlow {
  readonly #options: LaneFlowOptions;
  /** The same for all owners of a lane. */
  readonly #most: number;
  #averageBytes = 0; // the first reading asks for as many as any owner may have had: see above
  #prefetch = 0;
  #isTurning = false;
  /** Whether the queue may have more of what came back than it has sent. */
  #mayHaveReturned = false;

  constructor(options: LaneFlowOptions) {
    this.#options = options;
    this.#most = Math.max(1, Math.min(options.maxCount, Math.floor(options.maxBytes / LEAST_BYTES)));
  }

  /** Whether what comes is not to be taken. */
  get isTurning(): boolean {
    return this.#isTurning;
  }

  /** The most messages that the broker sends ahead now. */
  get prefetch(): number {
    return this.#prefetch;
  }

  /** Begins to read on a channel of its own. */
  async start(channel: AmqpChannel, onMessage: (message: AmqpMessage | null) => void): Promise<void> {
    const { clock, queue } = this.#options;
    this.#isTurning = false;
    this.#prefetch = this.#wantedPrefetch();
    this.#mayHaveReturned = this.#prefetch < this.#most;
    await answerOf(clock, "taking a lane", channel.prefetch(this.#prefetch));
    await answerOf(clock, "taking a lane", channel.consume(queue, onMessage));
  }

  /** A message was taken; `unsettledBytes` are those of the lane, with it. */
  arrived(bytes: number, unsettledBytes: number, wasDelivered: boolean): void {
    if (!wasDelivered) this.#mayHaveReturned = false; // the queue sends those first
    this.#averageBytes += (bytes - this.#averageBytes) * WEIGHT;
    if (bytes > this.#averageBytes * 8) this.#averageBytes = bytes; // large ones seldom come alone
    if (unsettledBytes > this.#options.maxBytes && this.#wantedPrefetch() < this.#prefetch) this.#turn();
  }

  /** Nothing of the lane is unsettled now. Whether it is to read on on another channel. */
  emptied(): boolean {
    if (this.#wantedPrefetch() >= this.#prefetch * 2) this.#turn();
    return this.#isTurning;
  }

  #turn(): void {
    if (!this.#mayHaveReturned) this.#isTurning = true;
  }

  #wantedPrefetch(): number {
    return Math.max(1, Math.min(this.#most, Math.floor(this.#options.maxBytes / Math.max(1, this.#averageBytes))));
  }
}
