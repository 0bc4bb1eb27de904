import { Fifo } from "../../base/fifo.ts";
import { PositionMap } from "../../base/position-map.ts";
import type { SendOutcome } from "../../ports/transport.ts";
import type { AmqpPublishOptions } from "./vendor.ts";

/** A message on its way, ready for the wire. */
export interface Publish {
  readonly exchange: string;
  readonly routingKey: string;
  readonly content: Buffer;
  readonly contract: string;
  readonly destination: string;
  readonly options: AmqpPublishOptions;
}

/** A message that waits for its turn or its confirm. */
export interface PendingPublish extends Publish {
  readonly deadlineAt: number;
  readonly deadlineMs: number;
  options: AmqpPublishOptions;
  readonly settle: (outcome: SendOutcome) => void;
  /** Its sender knows the outcome. */
  isSettled: boolean;
  /** Handed to the client at least once: until it is confirmed, nobody knows whether it arrived. */
  isWritten: boolean;
}

/** How much a {@link PublishBacklog} lets out, and takes. */
export interface BacklogLimits {
  /** The most messages written and not confirmed. */
  readonly windowCount: number;
  /** The most bytes written and not confirmed; one message may go over it alone. */
  readonly windowBytes: number;
  /** The most bytes that wait for their turn while the broker is away or slow; what goes beyond is refused at once. */
  readonly maxWaitingBytes: number;
}

const OVERHEAD_BYTES = 1024; // headers and bookkeeping of a message, about

/** What was not confirmed yet: *waiting* in the order of the calls, then *written* within the window, by the number that its confirm will name. Nothing is in both. */
export class PublishBacklog {
  readonly #limits: BacklogLimits;
  readonly #waiting = new Fifo<PendingPublish>();
  #waitingBytes = 0;
  #written = new PositionMap<PendingPublish>();
  #writtenBytes = 0;

  constructor(limits: BacklogLimits) {
    this.#limits = limits;
  }

  get isEmpty(): boolean {
    return this.#written.size === 0 && this.#waiting.length === 0;
  }

  /** Whether {@link next} may have one. */
  get hasNext(): boolean {
    return this.#waiting.length > 0 && this.#written.size < this.#limits.windowCount;
  }

  /** Takes a message in, behind all others; false when too much waits already. */
  add(message: PendingPublish): boolean {
    const bytes = bytesOf(message);
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > this.#limits.maxWaitingBytes) return false;
    this.#waiting.push(message);
    this.#waitingBytes += bytes;
    return true;
  }

  /** Takes out the next one to write, if the window has room. Call {@link wrote} before the next. */
  next(): PendingPublish | undefined {
    while (this.hasNext) {
      const message = this.#waiting.at(0)!;
      const bytes = bytesOf(message);
      if (!message.isSettled && this.#written.size > 0 && this.#writtenBytes + bytes > this.#limits.windowBytes) return undefined;
      this.#waiting.shift();
      this.#waitingBytes -= bytes;
      if (!message.isSettled) return message;
    }
    return undefined;
  }

  /** It was written as the channel's publish of this number, which only grows. */
  wrote(message: PendingPublish, number: number): void {
    message.isWritten = true;
    this.#written.set(number, message);
    this.#writtenBytes += bytesOf(message);
  }

  /** The broker has it, or will never have it. */
  confirmed(number: number): PendingPublish | undefined {
    const message = this.#written.take(number);
    if (message !== undefined) this.#writtenBytes -= bytesOf(message);
    return message;
  }

  /** The number of the first one that is written. */
  get oldest(): number | undefined {
    return this.#written.oldest;
  }

  /** What was written on a channel that is gone waits again, first and in its order. Returns those messages. */
  takeBack(): readonly PendingPublish[] {
    const back = this.#takeWritten().filter(({ isSettled }) => !isSettled);
    for (const message of back.toReversed()) {
      this.#waiting.unshift(message);
      this.#waitingBytes += bytesOf(message);
    }
    return back;
  }

  /** The first written one that fits. */
  find(fits: (message: PendingPublish) => boolean): PendingPublish | undefined {
    for (const message of this.#written.values()) if (!message.isSettled && fits(message)) return message;
    return undefined;
  }

  /** Everything, written or waiting. */
  *all(): IterableIterator<PendingPublish> {
    yield* this.#written.values();
    for (let at = 0; at < this.#waiting.length; at++) yield this.#waiting.at(at)!;
  }

  /** Forgets what waits and is settled. What was written stays in the window until its channel knows. */
  dropSettled(): void {
    for (const message of this.#waiting.evict(({ isSettled }) => isSettled)) this.#waitingBytes -= bytesOf(message);
  }

  /** Empties it. */
  takeAll(): readonly PendingPublish[] {
    this.#waitingBytes = 0;
    return [...this.#takeWritten(), ...this.#waiting.evict(() => true)];
  }

  #takeWritten(): PendingPublish[] {
    const written = [...this.#written.values()];
    this.#written = new PositionMap();
    this.#writtenBytes = 0;
    return written;
  }
}

function bytesOf({ content }: Publish): number {
  return content.length + OVERHEAD_BYTES;
}
