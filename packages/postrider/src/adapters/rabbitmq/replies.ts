import type { Clock, Timer } from "../../base/clock.ts";
import type { FoundMessage } from "../../envelope/envelope.ts";
import type { ReplyInbox } from "../../ports/transport.ts";
import { closeChannel } from "./close-channel.ts";
import type { Link } from "./link.ts";
import { REPLY_PREFIX } from "./names.ts";
import type { AmqpChannel } from "./vendor.ts";
import { readMessage } from "./wire.ts";

const EXPIRES_MS = 60_000; // a queue that nobody reads for so long goes by itself: its instance has died
const REOPEN_MS = 200;

/** What a reply queue is made of. */
export interface ReplyQueueOptions {
  readonly link: Link;
  readonly clock: Clock;
  /** Unique in the world. */
  readonly name: string;
  readonly onReply: (message: FoundMessage) => void;
}

/**
 * An instance's own queue for answers. It outlives a lost connection, so that answers that come meanwhile are read afterwards; it goes when it is closed, or when
 * nobody has read it for a minute.
 */
export class ReplyQueue implements ReplyInbox {
  readonly address: string;
  readonly #options: ReplyQueueOptions;
  readonly #forget: () => void;
  #channel: AmqpChannel | undefined;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: ReplyQueueOptions) {
    this.#options = options;
    this.address = REPLY_PREFIX + options.name;
    this.#forget = options.link.listen({ opened: () => this.#reopen(), lost: () => undefined });
  }

  /** Begins to read. @throws PR_TRANSPORT_FAILED */
  async open(): Promise<void> {
    const { link, name } = this.#options;
    const channel = await link.channel();
    channel.on("close", () => this.#gone(channel));
    this.#channel = channel;
    await channel.assertQueue(name, { durable: true, arguments: { "x-queue-type": "classic", "x-expires": EXPIRES_MS } });
    await channel.consume(name, (message) => message !== null && this.#options.onReply(readMessage(message)), { noAck: true });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#forget();
    this.#timer?.cancel();
    const channel = this.#channel;
    this.#channel = undefined;
    if (channel === undefined) return;
    await channel.deleteQueue(this.#options.name).catch(() => undefined); // it goes by itself
    await closeChannel(this.#options.clock, channel);
  }

  #gone(channel: AmqpChannel): void {
    if (this.#isClosed || this.#channel !== channel) return;
    this.#channel = undefined;
    if (this.#options.link.isOpen) this.#reopenLater();
  }

  #reopen(): void {
    if (this.#isClosed || this.#channel !== undefined) return;
    this.open().catch(() => this.#reopenLater());
  }

  #reopenLater(): void {
    this.#timer = this.#options.clock.after(REOPEN_MS, () => this.#reopen(), { keepAlive: true });
  }
}
