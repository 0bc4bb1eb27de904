import type { Clock } from "../../base/clock.ts";
import { answerOf } from "./answer.ts";
import type { AmqpChannel, AmqpMessage } from "./vendor.ts";

const ASSUMED_BYTES = 32 * 1024; // of a message, before any was seen
const WEIGHT = 0.05; // of the latest message in the average

/** What a lane's flow is made of. */
export interface LaneFlowOptions {
  readonly channel: AmqpChannel;
  readonly clock: Clock;
  readonly queue: string;
  /** The most messages that the broker may send ahead. */
  readonly maxCount: number;
  /** About so many bytes it may send ahead. */
  readonly maxBytes: number;
  readonly onMessage: (message: AmqpMessage | null) => void;
  /** The broker sends nothing more; if nothing is unsettled, call {@link LaneFlow.emptied}. */
  readonly onStopped: () => void;
  readonly onError: (error: unknown) => void;
}

/**
 * Reads a lane's queue with a prefetch in messages that stands for one in bytes: the broker knows only the former, so it follows the average size.
 *
 * States: *reading* → *stopping* (too many bytes came; the broker is asked to send nothing more) → *stopped* (until all that came is settled) → *reading*, with
 * another prefetch. It begins anew only with nothing unsettled: what two consumers of one channel have, a broker gives to the next owner in any order.
 */
export class LaneFlow {
  readonly #options: LaneFlowOptions;
  #averageBytes = ASSUMED_BYTES;
  #state: "stopped" | "reading" | "stopping" = "stopped";
  #prefetch = 0;
  #tag = "";

  constructor(options: LaneFlowOptions) {
    this.#options = options;
  }

  /** Whether it reads on only once all is settled and the broker knows it. */
  get isStopped(): boolean {
    return this.#state === "stopped";
  }

  /** Begins to read. */
  async start(): Promise<void> {
    const { channel, clock, queue, onMessage } = this.#options;
    this.#state = "reading";
    this.#prefetch = this.#wantedPrefetch();
    await answerOf(clock, "taking a lane", channel.prefetch(this.#prefetch));
    const { consumerTag } = await answerOf(clock, "taking a lane", channel.consume(queue, onMessage));
    this.#tag = consumerTag;
  }

  /** A message came; `unsettledBytes` are those of the lane, with it. */
  arrived(bytes: number, unsettledBytes: number): void {
    this.#averageBytes += (bytes - this.#averageBytes) * WEIGHT;
    if (bytes > this.#averageBytes * 8) this.#averageBytes = bytes; // large ones seldom come alone
    if (unsettledBytes > this.#options.maxBytes && this.#prefetch > 1 && this.#wantedPrefetch() < this.#prefetch) this.#stop();
  }

  /** Nothing of the lane is unsettled now. */
  emptied(): void {
    if (this.#state === "stopped" && this.#prefetch > 0) this.start().catch((error: unknown) => this.#options.onError(error));
    else if (this.#wantedPrefetch() >= this.#prefetch * 2) this.#stop();
  }

  #stop(): void {
    if (this.#state !== "reading" || this.#tag === "") return;
    this.#state = "stopping";
    const { channel, clock, onError } = this.#options;
    const tag = this.#tag;
    this.#tag = "";
    answerOf(clock, "pausing a lane", channel.cancel(tag)).then(() => {
      this.#state = "stopped";
      this.#options.onStopped();
    }, onError);
  }

  #wantedPrefetch(): number {
    const { maxCount, maxBytes } = this.#options;
    return Math.max(1, Math.min(maxCount, Math.floor(maxBytes / Math.max(1, this.#averageBytes))));
  }
}
