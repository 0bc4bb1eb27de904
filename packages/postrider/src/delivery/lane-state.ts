import type { Lane } from "../ports/transport.ts";

// Positions beyond the last one taken that a mark covers too, so that most hand-overs need no write before they run. The price: after a crash so many
// more are suspects, whose next start is counted one by one; they still run beside others.
const MARK_AHEAD = 256;

/** What a lane starts with, at a consumer. */
export interface LaneBeginning {
  /** How far it may have begun, as the store has it. */
  readonly marks: readonly [normal: number, high: number];
  /** Keys with a message that is retrying, dead or parked. */
  readonly blocked: Iterable<string>;
  /** The same lane as this process had it, where it was lost and not given up. */
  readonly before: LaneState | undefined;
}

/** What a consumer knows of a lane that it owns, and of the work on it. Positions of high and normal priority are counted apart: they are two logs. */
export class LaneState {
  readonly lane: Lane;
  /** Keys with a message that is retrying, dead or parked. A cache: the store decides. */
  readonly blocked: Set<string>;
  /** Keys of which too many are parked: what is handed over of them goes back, until the lane goes on. */
  readonly overfull: Set<string> = new Set<string>();
  /** Taking that has not ended: later messages of the lane wait for it. */
  intake: Promise<void> | undefined;
  isGone = false;
  /** Nothing of it starts any more. */
  isLeaving = false;
  isPaused = false;
  readonly #suspects: readonly [normal: number, high: number];
  readonly #marked: [normal: number, high: number];

  constructor(lane: Lane, { marks, blocked, before }: LaneBeginning) {
    this.lane = lane;
    this.#marked = [...marks];
    // As long as the mark is the one that this process wrote, nobody else has begun anything beyond it, and what it covers has not ended this process.
    const suspectsOf = (at: 0 | 1): number => (before !== undefined && before.#marked[at] === marks[at] ? before.#suspects[at] : marks[at]);
    this.#suspects = [suspectsOf(0), suspectsOf(1)];
    this.blocked = new Set(blocked);
  }

  /** Everything up to here may have begun under an earlier owner or process. */
  suspectsUpTo(isHigh: boolean): number {
    return this.#suspects[isHigh ? 1 : 0];
  }

  /** Raises what is known, durably, as possibly begun: to where the mark has to be written; undefined when it covers the position already. */
  raise(isHigh: boolean, position: number): number | undefined {
    const at = isHigh ? 1 : 0;
    if (position <= this.#marked[at]) return undefined;
    this.#marked[at] = position + MARK_AHEAD;
    return this.#marked[at];
  }

  /** Whether what is handed over of a key goes back. */
  turnsBack(key: string | undefined): boolean {
    return this.overfull.size > 0 && key !== undefined && this.overfull.has(key);
  }

  /** A mark could not be written: the next message is marked anew. */
  unmark(): void {
    this.#marked[0] = 0;
    this.#marked[1] = 0;
  }
}

/** The name under which the marks of a destination are kept. */
export function placeOf(destination: string, isHigh: boolean): string {
  return isHigh ? `${destination} high` : destination;
}

/** How far a lane may have begun under whoever had it, or this process; nowhere where nothing is marked. */
export async function marksOf(
  { destination, number }: Lane,
  starts: { taken(place: string, lane: number): Promise<number> } | undefined,
): Promise<LaneBeginning["marks"]> {
  if (starts === undefined) return [0, 0];
  return Promise.all([starts.taken(placeOf(destination, false), number), starts.taken(placeOf(destination, true), number)]);
}
