import type { Entry, Track } from "./log.ts";

/**
 * How far one service has come on one track: all before `frontier` is finished, and some beyond it.
 *
 * `frontier` and the finished ones survive a crash; what was handed over and not finished does not.
 */
export class Cursor {
  readonly #track: Track;
  readonly #finished = new Set<number>();
  #frontier: number;
  #next: number;
  #handedBefore: number;
  #returned: number[] = [];

  constructor(track: Track, from: number) {
    this.#track = track;
    this.#frontier = from;
    this.#next = from;
    this.#handedBefore = from;
  }

  /** Another reader's, that stands where this one does. */
  copy(): Cursor {
    const copy = new Cursor(this.#track, this.#frontier);
    for (const index of this.#finished) copy.#finished.add(index);
    return copy;
  }

  /** Everything before this index is finished. */
  get frontier(): number {
    return this.#frontier;
  }

  /** How many messages are not finished. */
  get backlog(): number {
    return this.#track.end - this.#frontier - this.#finished.size;
  }

  /** The message at an index that `take` gave. */
  entry(index: number): Entry {
    return this.#track.at(index)!;
  }

  /** The next message to hand over, given back ones first; -1 when there is none. What is not wanted is finished on the way. */
  take(isWanted: (entry: Entry) => boolean): number {
    if (this.#returned.length > 0) return this.#returned.shift()!;
    while (this.#next < this.#track.end) {
      const index = this.#next++;
      if (this.#finished.has(index)) continue;
      if (isWanted(this.#track.at(index)!)) return index;
      this.finish(index);
    }
    return -1;
  }

  /** Whether the message was handed over before; from now on it was. */
  handOver(index: number): boolean {
    if (index < this.#handedBefore) return true;
    this.#handedBefore = index + 1;
    return false;
  }

  /** The message is done for good. */
  finish(index: number): void {
    if (index !== this.#frontier) {
      if (index > this.#frontier) this.#finished.add(index);
      return;
    }
    this.#frontier++;
    if (this.#finished.size === 0) return;
    while (this.#finished.delete(this.#frontier)) this.#frontier++;
  }

  /** The message will be handed over again, in its old place among those that wait for the same. */
  giveBack(index: number): void {
    let at = this.#returned.length;
    while (at > 0 && this.#returned[at - 1]! > index) at--;
    this.#returned.splice(at, 0, index);
  }

  /** Forgets what was handed over: the next owner starts at the first unfinished message. */
  rewind(): void {
    this.#returned = [];
    this.#next = this.#frontier;
  }

  /** Unfinished messages that fit, oldest first. */
  *unfinished(isWanted: (entry: Entry) => boolean): Generator<Entry, void> {
    for (let index = this.#frontier; index < this.#track.end; index++) {
      if (this.#finished.has(index)) continue;
      const entry = this.#track.at(index)!;
      if (isWanted(entry)) yield entry;
    }
  }
}
