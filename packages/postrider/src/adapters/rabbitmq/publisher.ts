import type { Clock, Timer } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Logger } from "../../ports/logger.ts";
import type { SendOutcome } from "../../ports/transport.ts";
import type { Link } from "./link.ts";
import { REPEAT_HEADER } from "./names.ts";
import { PublishBacklog } from "./publish-backlog.ts";
import type { BacklogLimits, PendingPublish, Publish } from "./publish-backlog.ts";
import { writerOn } from "./publish-writer.ts";
import type { PublishWriter } from "./publish-writer.ts";
import type { AmqpConfirmChannel, AmqpMessage } from "./vendor.ts";
import { replyCode, vendorText } from "./vendor.ts";

const CHANNEL_RETRY_MS = 100;

/** The broker's word on one publish, or on all up to it. */
interface Confirm {
  readonly deliveryTag: number;
  readonly multiple: boolean;
}

/** What a publisher is made of. */
export interface PublisherOptions {
  readonly link: Link;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: BacklogLimits;
}

/**
 * Publishes with confirms, in the order of the calls, and never more at a time than the window.
 *
 * States: *ready* (a channel is open; the window is filled), *blocked* (the broker takes nothing: nothing is written), *away* (no channel; one is on its
 * way). When a channel goes, what was written on it and not confirmed goes again, first and in its order, marked as a repetition.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #backlog: PublishBacklog;
  #channel: AmqpConfirmChannel | undefined;
  #writer: PublishWriter | undefined;
  #number = 0; // of the latest publish on the channel
  #opening = false;
  #deadlineTimer: Timer | undefined;
  #timerAt = Infinity;
  #isClosed = false;
  #idle: (() => void) | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#backlog = new PublishBacklog(options.limits);
    options.link.listen({
      opened: () => void this.#openChannel(),
      lost: () => this.#channelLost(),
      blocked: () => this.#pump(),
    });
    if (options.link.isOpen) void this.#openChannel();
  }

  /** Takes a message; its outcome comes by the deadline at the latest. */
  publish(publish: Publish, settle: (outcome: SendOutcome) => void, deadlineMs: number): void {
    const { exchange, routingKey, content, contract, destination, options } = publish;
    const deadlineAt = this.#options.clock.monotonicMs() + deadlineMs;
    const route = { exchange, routingKey, contract, destination };
    const message: PendingPublish = { ...route, content, options, settle, deadlineMs, deadlineAt, isSettled: false, isWritten: false };
    if (!this.#backlog.add(message)) return this.#settle(message, this.#failed("send", "too much waits for the broker already"));
    this.#watch(message.deadlineAt);
  }

  /** Writes what may be written. Call it after a batch of {@link publish}. */
  flush(): void {
    this.#pump();
  }

  /** Lets what is on its way be confirmed, for as long as there is a connection and at most `limitMs`; tells the others that it is closed. */
  async close(limitMs: number): Promise<void> {
    const { clock } = this.#options;
    if (!this.#backlog.isEmpty && this.#channel !== undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#idle = resolve;
      const timer = clock.after(limitMs, resolve, { keepAlive: true });
      await promise;
      timer.cancel();
    }
    this.abandon();
  }

  /** Ends at once. */
  abandon(): void {
    this.#isClosed = true;
    this.#deadlineTimer?.cancel();
    const error = fail("PR_TRANSPORT_CLOSED", { transport: "rabbitmq", during: "send" });
    for (const message of this.#backlog.takeAll()) this.#settle(message, message.isWritten ? unknownOutcome(message) : error);
    this.#channel = undefined;
  }

  async #openChannel(): Promise<void> {
    if (this.#opening || this.#isClosed || this.#channel !== undefined) return;
    this.#opening = true;
    try {
      const channel = await this.#options.link.confirmChannel();
      this.#channel = channel;
      this.#writer = writerOn(channel);
      this.#number = 0;
      let error: unknown;
      channel.on("error", (thrown: Error) => void (error = thrown));
      channel.on("ack", (confirm: Confirm) => this.#confirmed(channel, confirm, true));
      channel.on("nack", (confirm: Confirm) => this.#confirmed(channel, confirm, false));
      channel.on("return", (message: AmqpMessage) => this.#returned(message));
      channel.on("close", () => this.#channelClosed(channel, error));
    } catch (error) {
      this.#options.logger.debug({ err: error }, "no channel to publish on yet");
      if (this.#options.link.isOpen) this.#retryChannel();
    } finally {
      this.#opening = false;
    }
    this.#pump();
  }

  #retryChannel(): void {
    this.#options.clock.after(CHANNEL_RETRY_MS, () => void this.#openChannel(), { keepAlive: true });
  }

  /** The broker closed the channel: whoever caused that is told, the others go again on a new one. */
  #channelClosed(channel: AmqpConfirmChannel, error: unknown): void {
    if (this.#channel !== channel) return;
    this.#channelLost();
    if (this.#isClosed || !this.#options.link.isOpen) return;
    if (error !== undefined) {
      this.#options.logger.warn({ err: error, transport: "rabbitmq" }, "the broker closed the channel for sending; another one is opened");
      for (const message of this.#backlog.all()) if (message.isWritten) this.#blame(message, error);
    }
    this.#retryChannel();
  }

  #channelLost(): void {
    this.#channel = undefined;
    this.#writer = undefined;
    for (const message of this.#backlog.takeBack()) {
      // From now on the same id may be there twice: its readers must look it up.
      const headers = Object.assign(Object.create(null) as object, message.options.headers, { [REPEAT_HEADER]: "1" });
      message.options = { ...message.options, headers };
    }
  }

  #blame(message: PendingPublish, error: unknown): void {
    const text = vendorText(error);
    const missing = /no exchange '([^']*)'/.exec(text)?.[1];
    const limit = /message size \d+ is larger than configured max size (\d+)/.exec(text)?.[1];
    if (replyCode(error) === 404 && missing === message.exchange) this.#settle(message, unknownDestination(message));
    if (limit !== undefined && message.content.length > Number(limit))
      this.#settle(message, fail("PR_BODY_TOO_LARGE", { contract: message.contract, bytes: message.content.length, limit }));
  }

  #pump(): void {
    const { link } = this.#options;
    while (this.#channel !== undefined && !link.isBlocked) {
      const message = this.#backlog.next();
      if (message === undefined) break;
      this.#write(message);
    }
    this.#writer?.flush();
    if (this.#backlog.isEmpty) this.#idle?.();
  }

  #write(message: PendingPublish): void {
    try {
      this.#writer!.add(message);
      this.#backlog.wrote(message, ++this.#number);
    } catch (cause) {
      const isClosed = (cause as { readonly name?: unknown }).name === "IllegalOperationError";
      if (isClosed) this.#backlog.wrote(message, ++this.#number); // it comes back with the channel's close, which is about to be told
      else this.#settle(message, this.#failed("encoding", vendorText(cause), cause));
    }
  }

  #confirmed(channel: AmqpConfirmChannel, { deliveryTag, multiple }: Confirm, isTaken: boolean): void {
    if (this.#channel !== channel) return;
    const first = multiple ? (this.#backlog.oldest ?? deliveryTag) : deliveryTag;
    for (let number = first; number <= deliveryTag; number++) {
      const message = this.#backlog.confirmed(number);
      if (message !== undefined) this.#settle(message, isTaken ? undefined : this.#failed("send", "the broker refused the message"));
    }
    if (this.#backlog.hasNext) this.#pump();
    else if (this.#backlog.isEmpty) this.#idle?.();
  }

  /** No queue wanted a message that some must want. It comes before its confirm. */
  #returned({ fields, properties }: AmqpMessage): void {
    const { exchange, routingKey } = fields;
    const message = this.#backlog.find(
      (one) => one.exchange === exchange && one.routingKey === routingKey && one.options.messageId === properties.messageId,
    );
    if (message !== undefined) this.#settle(message, unknownDestination(message));
  }

  #watch(deadlineAt: number): void {
    if (deadlineAt >= this.#timerAt || this.#isClosed) return;
    this.#deadlineTimer?.cancel();
    this.#timerAt = deadlineAt;
    const waitMs = Math.max(0, deadlineAt - this.#options.clock.monotonicMs());
    this.#deadlineTimer = this.#options.clock.after(waitMs, () => this.#expire(), { keepAlive: true });
  }

  #expire(): void {
    this.#timerAt = Infinity;
    const nowMs = this.#options.clock.monotonicMs();
    let next = Infinity;
    for (const message of this.#backlog.all()) {
      if (message.isSettled) continue;
      if (message.deadlineAt > nowMs) next = Math.min(next, message.deadlineAt);
      else this.#settle(message, message.isWritten ? unknownOutcome(message) : this.#late(message));
    }
    this.#backlog.dropSettled();
    if (next !== Infinity) this.#watch(next);
  }

  #late({ deadlineMs }: PendingPublish): PostriderError {
    const why = this.#options.link.isBlocked
      ? "the broker is short of memory or disk and takes nothing"
      : "the broker could not be reached";
    return this.#failed("send", `${why} for ${deadlineMs} ms`);
  }

  #settle(message: PendingPublish, outcome: SendOutcome): void {
    if (message.isSettled) return;
    message.isSettled = true;
    message.settle(outcome);
  }

  #failed(during: string, detail: string, cause?: unknown): PostriderError {
    return fail("PR_TRANSPORT_FAILED", { transport: "rabbitmq", during, detail }, { cause });
  }
}

function unknownOutcome({ deadlineMs }: PendingPublish): PostriderError {
  return fail("PR_OUTCOME_UNKNOWN", { transport: "rabbitmq", count: 1, deadlineMs });
}

function unknownDestination({ destination }: Publish): PostriderError {
  return fail("PR_DESTINATION_UNKNOWN", { transport: "rabbitmq", destination });
}
