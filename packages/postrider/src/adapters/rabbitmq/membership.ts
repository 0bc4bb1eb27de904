import type { Clock } from "../../base/clock.ts";
import { WakeLoop } from "../../base/wake-loop.ts";
import { answerOf } from "./answer.ts";
import { closeChannel } from "./close-channel.ts";
import type { Link } from "./link.ts";
import { membersQueue } from "./names.ts";
import type { AmqpChannel } from "./vendor.ts";

/** What {@link Membership} is made of. */
export interface MembershipOptions {
  readonly link: Link;
  readonly clock: Clock;
  readonly base: string;
  readonly everyMs: number;
  /** Called after each count. Without a connection there is none. */
  readonly onCount: (members: number) => void;
}

/**
 * Knows how many consumptions share a subscription: each is a consumer of a queue that nobody writes to, and the broker counts its consumers.
 * Who goes, in whatever way, is counted no longer.
 */
export class Membership {
  readonly #options: MembershipOptions;
  readonly #loop: WakeLoop;
  #channel: AmqpChannel | undefined;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#loop = new WakeLoop({ clock: options.clock, round: () => this.#round() });
  }

  /** Joins, and counts for the first time. */
  start(): void {
    this.#loop.start();
  }

  /** Counts now. */
  wake(): void {
    this.#loop.wake();
  }

  /** Leaves. May be called twice. */
  async close(): Promise<void> {
    await this.#loop.stop();
    const channel = this.#channel;
    this.#channel = undefined;
    if (channel !== undefined) await closeChannel(this.#options.clock, channel);
  }

  /** Stops without a word. */
  abandon(): void {
    void this.#loop.stop();
  }

  async #round(): Promise<number> {
    const { link, clock, base, everyMs, onCount } = this.#options;
    if (!link.isOpen) return everyMs;
    try {
      const channel = (this.#channel ??= await this.#join());
      const { consumerCount } = await answerOf(clock, "counting consumers", channel.checkQueue(membersQueue(base)));
      onCount(Math.max(1, consumerCount));
    } catch {
      const stuck = this.#channel;
      this.#channel = undefined;
      // The next round joins anew. A queue that is gone is reported by the lanes.
      if (stuck !== undefined) void closeChannel(clock, stuck);
    }
    return everyMs;
  }

  async #join(): Promise<AmqpChannel> {
    const { link, clock, base } = this.#options;
    const channel = await link.channel();
    channel.on("close", () => void (this.#channel === channel && (this.#channel = undefined)));
    try {
      await answerOf(
        clock,
        "joining",
        channel.consume(membersQueue(base), () => undefined, { noAck: true }),
      );
      return channel;
    } catch (error) {
      void closeChannel(clock, channel); // or it would be counted for ever
      throw error;
    }
  }
}
