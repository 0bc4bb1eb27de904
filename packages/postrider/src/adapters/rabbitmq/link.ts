import { backoffMs } from "../../base/backoff.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Logger } from "../../ports/logger.ts";
import { answerOf } from "./answer.ts";
import { destroy, vendorText } from "./vendor.ts";
import type { AmqpChannel, AmqpConfirmChannel, AmqpConnection } from "./vendor.ts";

const RECONNECT = { firstMs: 50, maxMs: 1500, jitter: 0.3 }; // the longest wait is what a broker that is back waits for us

/** Who is told how a connection stands. */
export interface LinkListener {
  /** There is a new connection; whatever was declared on the one before is gone. */
  opened(): void;
  /** The connection is gone, and with it every channel. Another one is on its way. */
  lost(): void;
  /** The broker takes nothing more for now (it is short of memory or disk), or does again. */
  blocked?(isBlocked: boolean): void;
}

/** What a link is made of. */
export interface LinkOptions {
  readonly purpose: string;
  readonly connect: (attempt: number) => Promise<AmqpConnection>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * A connection that comes back.
 *
 * States: *new* (never opened), *open* (`connection` is there), *away* (lost; tries again after a growing wait, for ever), *closed* (for good).
 */
export class Link {
  readonly #options: LinkOptions;
  readonly #listeners = new Set<LinkListener>();
  #state: "new" | "open" | "away" | "closed" = "new";
  #connection: AmqpConnection | undefined;
  #attempt = 0;
  #timer: Timer | undefined;
  #opening: Promise<void> | undefined;
  #blockedBy: string | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  get isOpen(): boolean {
    return this.#connection !== undefined;
  }

  /** Whether the broker has told us to wait. */
  get isBlocked(): boolean {
    return this.#blockedBy !== undefined;
  }

  /** The broker's word for why we are to wait: `low on memory`. */
  get blockedBy(): string | undefined {
    return this.#blockedBy;
  }

  listen(listener: LinkListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Connects. May be called twice. @throws PR_TRANSPORT_FAILED */
  open(): Promise<void> {
    if (this.#state !== "new") return this.#opening ?? Promise.resolve();
    this.#opening ??= this.#connect().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /** A new channel. @throws PR_TRANSPORT_FAILED while there is no connection */
  async channel(): Promise<AmqpChannel> {
    return quiet(await this.#create((connection) => connection.createChannel()));
  }

  /** A new channel with confirms. @throws PR_TRANSPORT_FAILED while there is no connection */
  async confirmChannel(): Promise<AmqpConfirmChannel> {
    return quiet(await this.#create((connection) => connection.createConfirmChannel()));
  }

  /** Closes for good. May be called twice. */
  async close(): Promise<void> {
    this.#state = "closed";
    this.#timer?.cancel();
    const connection = this.#connection;
    this.#connection = undefined;
    this.#listeners.clear();
    if (connection === undefined) return;
    await answerOf(this.clock, "closing", connection.close()).catch(() => undefined); // it was going anyway
    destroy(connection);
  }

  /** Ends as the death of the process would. */
  abandon(): void {
    this.#state = "closed";
    this.#timer?.cancel();
    this.#listeners.clear();
    if (this.#connection !== undefined) destroy(this.#connection);
    this.#connection = undefined;
  }

  async #create<Channel>(make: (connection: AmqpConnection) => Promise<Channel>): Promise<Channel> {
    const connection = this.#connection;
    if (connection === undefined) throw this.#failed("opening a channel", "there is no connection");
    try {
      return await answerOf(this.clock, "opening a channel", make(connection));
    } catch (cause) {
      throw this.#failed("opening a channel", vendorText(cause), cause);
    }
  }

  #failed(during: string, detail: string, cause?: unknown): PostriderError {
    return fail("PR_TRANSPORT_FAILED", { transport: "rabbitmq", during, detail }, { cause });
  }

  async #connect(): Promise<void> {
    const connection = await this.#options.connect(this.#attempt);
    if (this.#state === "closed") return destroy(connection);
    const { logger, purpose } = this.#options;
    this.#connection = connection;
    if (this.#state === "away") logger.warn({ transport: "rabbitmq", purpose, attempts: this.#attempt }, "connected again");
    this.#state = "open";
    this.#attempt = 0;
    this.#blockedBy = undefined;
    let reason: Error | undefined;
    connection.on("error", (error: Error) => void (reason = error));
    connection.on("close", (error?: Error) => this.#gone(connection, error ?? reason));
    connection.on("blocked", (why: string) => this.#setBlocked(why));
    connection.on("unblocked", () => this.#setBlocked(undefined));
    for (const listener of this.#listeners) listener.opened();
  }

  #gone(connection: AmqpConnection, error: Error | undefined): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#blockedBy = undefined;
    this.#state = "away";
    destroy(connection);
    const { logger, purpose } = this.#options;
    logger.warn({ err: error, transport: "rabbitmq", purpose }, "the connection is lost; it is being opened again");
    for (const listener of this.#listeners) listener.lost();
    this.#retryLater();
  }

  #retryLater(): void {
    const { clock, random } = this.#options;
    this.#attempt++;
    this.#timer = clock.after(backoffMs(RECONNECT, this.#attempt, random), () => void this.#retry(), { keepAlive: true });
  }

  async #retry(): Promise<void> {
    if (this.#state !== "away") return;
    try {
      await this.#connect();
    } catch (error) {
      if (this.#state !== "away") return;
      this.#options.logger.debug({ err: error, transport: "rabbitmq", attempt: this.#attempt }, "the broker cannot be reached");
      this.#retryLater();
    }
  }

  #setBlocked(reason: string | undefined): void {
    this.#blockedBy = reason;
    const isBlocked = reason !== undefined;
    const { logger, purpose } = this.#options;
    if (isBlocked) logger.warn({ transport: "rabbitmq", purpose, reason }, "the broker takes no messages for now");
    else logger.warn({ transport: "rabbitmq", purpose }, "the broker takes messages again");
    for (const listener of this.#listeners) listener.blocked?.(isBlocked);
  }
}

/** An error of a channel is followed by its close, which is what we go by; unheard, it would end the process. */
function quiet<Of extends AmqpChannel>(channel: Of): Of {
  channel.on("error", () => undefined);
  return channel;
}
