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

/** What was not confirmed yet: *waiting* in the order of the calls, then *written* within the window. Nothing is in both. */
export class PublishBacklog {
  readonly #limits: BacklogLimits;
  #waiting: PendingPublish[] = [];
  #head = 0;
  #waitingBytes = 0;
  readonly #written = new Set<PendingPublish>();
  #writtenBytes = 0;

  constructor(limits: BacklogLimits) {
    this.#limits = limits;
  }

  get isEmpty(): boolean {
    return this.#written.size === 0 && this.#head === this.#waiting.length;
  }

  /** Whether {@link next} may have one. */
  get hasNext(): boolean {
    return this.#head < this.#waiting.length && this.#written.size < this.#limits.windowCount;
  }

  /** Takes a message in, behind all others; false when too much waits already. */
  add(message: PendingPublish): boolean {
    const bytes = bytesOf(message);
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > this.#limits.maxWaitingBytes) return false;
    this.#waiting.push(message);
    this.#waitingBytes += bytes;
    return true;
  }

  /** The next one to write, if the window has room; it counts as written from now on. */
  next(): PendingPublish | undefined {
    while (this.hasNext) {
      const message = this.#waiting[this.#head]!;
      const bytes = bytesOf(message);
      if (!message.isSettled && this.#written.size > 0 && this.#writtenBytes + bytes > this.#limits.windowBytes) return undefined;
      this.#head++;
      this.#waitingBytes -= bytes;
      this.#compact();
      if (message.isSettled) continue;
      this.#written.add(message);
      this.#writtenBytes += bytes;
      return message;
    }
    return undefined;
  }

  /** The broker has it, or will never have it. */
  confirmed(message: PendingPublish): void {
    if (this.#written.delete(message)) this.#writtenBytes -= bytesOf(message);
  }

  /** It could not be written after all: it is the next one again. */
  unwrite(message: PendingPublish): void {
    this.confirmed(message);
    this.#waitAgain([message]);
  }

  /** What was written on a channel that is gone waits again, first and in its order. Returns those messages. */
  takeBack(): readonly PendingPublish[] {
    const back = [...this.#written].filter(({ isSettled }) => !isSettled);
    this.#written.clear();
    this.#writtenBytes = 0;
    this.#waitAgain(back);
    return back;
  }

  /** The first written one that fits. */
  find(fits: (message: PendingPublish) => boolean): PendingPublish | undefined {
    for (const message of this.#written) if (!message.isSettled && fits(message)) return message;
    return undefined;
  }

  /** Everything, written or waiting. */
  *all(): IterableIterator<PendingPublish> {
    yield* this.#written;
    for (let at = this.#head; at < this.#waiting.length; at++) yield this.#waiting[at]!;
  }

  /** Forgets what waits and is settled. What was written stays in the window until its channel knows. */
  dropSettled(): void {
    const rest = this.#waiting.slice(this.#head).filter(({ isSettled }) => !isSettled);
    this.#waiting = rest;
    this.#head = 0;
    this.#waitingBytes = rest.reduce((sum, message) => sum + bytesOf(message), 0);
  }

  /** Empties it. */
  takeAll(): readonly PendingPublish[] {
    const all = [...this.all()];
    this.#written.clear();
    this.#writtenBytes = 0;
    this.#waiting = [];
    this.#head = 0;
    this.#waitingBytes = 0;
    return all;
  }

  #waitAgain(messages: readonly PendingPublish[]): void {
    this.#waiting = [...messages, ...this.#waiting.slice(this.#head)];
    this.#head = 0;
    for (const message of messages) this.#waitingBytes += bytesOf(message);
  }

  #compact(): void {
    if (this.#head < COMPACT_AT || this.#head * 2 < this.#waiting.length) return;
    this.#waiting = this.#waiting.slice(this.#head);
    this.#head = 0;
  }
}

const COMPACT_AT = 1024;

function bytesOf({ content }: Publish): number {
  return content.length + OVERHEAD_BYTES;
}
