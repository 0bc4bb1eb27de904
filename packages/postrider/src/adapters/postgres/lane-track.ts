import { Track } from "../../lanes/track.ts";
import type { TrackRow } from "../../lanes/track.ts";

/** A track whose row may be older than what units of work have finished. */
export class DoneTrack<Message> extends Track<Message> {
  /** Finished by an earlier owner, beyond its cursor. */
  readonly #finishedBefore: Set<number>;

  /** `done` is what was finished since the row was written, by units of work of an earlier owner. */
  constructor({ position, open }: TrackRow, done: readonly number[], isHigh: boolean) {
    const isDone = new Set(done);
    super({ position, open: open.filter((one) => !isDone.has(one)) }, isHigh);
    this.#finishedBefore = new Set(done.filter((one) => one > position));
  }

  /** Whether an earlier owner finished what is read now. */
  passes(position: number): boolean {
    if (this.#finishedBefore.size === 0 || !this.#finishedBefore.delete(position)) return false;
    this.finish(position);
    return true;
  }
}
