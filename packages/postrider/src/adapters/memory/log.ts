import type { Envelope, Headers, WireBody } from "../../envelope/envelope.ts";

/** A stored message. */
export interface Entry {
  /** Its place in the destination: grows with each commit, over all lanes. */
  readonly position: number;
  readonly envelope: Envelope | undefined;
  readonly headers: Headers;
  readonly body: WireBody;
  readonly bytes: number;
  readonly mayRepeat: boolean;
  readonly storedAt: number;
}

/** The messages of one lane and priority, in order. An index stays the same when older ones are dropped. */
export class Track {
  #entries: Entry[] = [];
  #start = 0;

  /** The first index that is kept. */
  get start(): number {
    return this.#start;
  }

  /** The index after the last one. */
  get end(): number {
    return this.#start + this.#entries.length;
  }

  /** The message at an index; undefined beyond either end. */
  at(index: number): Entry | undefined {
    return this.#entries[index - this.#start];
  }

  /** Adds a message at the end. */
  push(entry: Entry): void {
    this.#entries.push(entry);
  }

  /** Forgets what is before an index; later, if that would mean to copy much for little. */
  dropBefore(index: number): void {
    const dropped = index - this.#start;
    if (dropped <= 0 || dropped * 4 < this.#entries.length) return;
    this.#entries = this.#entries.slice(index - this.#start);
    this.#start = index;
  }

  /** All that is kept. */
  entries(): readonly Entry[] {
    return this.#entries;
  }
}
