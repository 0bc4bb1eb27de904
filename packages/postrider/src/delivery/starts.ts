import { deferred } from "../base/deferred.ts";
import type { Deferred } from "../base/deferred.ts";
import type { Starts, TakenMark } from "../ports/starts.ts";
import type { Work } from "./work.ts";

/** Whose lone turn comes last: one for all services of a process, since they end with it together. */
export interface LoneTurn {
  last: Promise<void>;
}

/** What a service may do with a message that may have ended its process. */
export type Admission = "run" | "poison";

// A suspect runs beside others once more at least, so that one crash does not slow a whole backlog down; its last two starts are alone, so that what is given up is what was to blame.
// Who allows many starts expects processes to be killed: what was hit twice then is no reason to run one at a time.
const LEAST_BESIDE_OTHERS = 2;
const STARTS_ALONE = 2;

/**
 * Knows durably what may have begun, so that a message that ends its process is found out and its neighbours are not blamed.
 *
 * What a lane hands over is marked a batch at a time, before any of it runs. What was marked and not settled when a process ended is a suspect: its further starts are counted one by one.
 */
export class StartLedger {
  readonly #starts: Starts;
  readonly #maxStarts: number;
  readonly #besideOthers: number;
  #marks: TakenMark[] = [];
  #marking: Promise<void> | undefined;
  readonly #lone: LoneTurn;
  readonly #aloneOf = new Map<Work, Deferred>();
  readonly #counted = new Set<Work>();

  constructor(starts: Starts, maxStarts: number, lone: LoneTurn) {
    this.#lone = lone;
    this.#starts = starts;
    this.#maxStarts = maxStarts;
    this.#besideOthers = Math.max(LEAST_BESIDE_OTHERS, maxStarts - STARTS_ALONE);
  }

  /** How far a lane may have begun before. */
  taken(place: string, lane: number): Promise<number> {
    return this.#starts.taken(place, lane);
  }

  /** Marks a lane as taken up to a position. All marks of one turn share one write. */
  mark(place: string, lane: number, position: number): Promise<void> {
    this.#marks.push({ destination: place, lane, position });
    this.#marking ??= Promise.resolve().then(() => {
      const marks = this.#marks;
      this.#marks = [];
      this.#marking = undefined;
      return this.#starts.markTaken(marks);
    });
    return this.#marking;
  }

  /** Counts the start of a suspect, or of a held message, before it runs; waits for its turn if it must run alone, and shares no transaction then. */
  async admit(work: Work): Promise<Admission> {
    const { id } = work.ready.envelope;
    this.#counted.add(work);
    const known = work.held === undefined ? 1 : 0; // a delivery's first start is the mark's
    if (known + (await this.#starts.countStart(id)) <= this.#besideOthers) return "run";
    work.runsAlone = true;
    // Lone starts are counted apart, and only once it is its turn: who merely waited for a turn when the process ended is not blamed.
    await this.#waitAlone(work);
    if (this.#besideOthers + (await this.#starts.countStart(loneId(id))) <= this.#maxStarts) return "run";
    work.failures += this.#maxStarts; // each was a run, of which nobody came back to count it
    return "poison";
  }

  /** It waits for its store, alone or not: whoever is to run alone need not wait for it. It stays counted. */
  waits(work: Work): void {
    this.#aloneOf.get(work)?.resolve();
    this.#aloneOf.delete(work);
  }

  /** The run is over, however it went: the process has survived it. */
  survived(work: Work): void {
    this.waits(work);
    const { id } = work.ready.envelope;
    if (this.#counted.delete(work)) this.#starts.forget([id, loneId(id)]).catch(() => undefined); // at worst it is counted once too often
  }

  /** Starts that a message has before it is given up. */
  get maxStarts(): number {
    return this.#maxStarts;
  }

  async #waitAlone(work: Work): Promise<void> {
    const before = this.#lone.last;
    const mine = deferred();
    this.#lone.last = mine.promise;
    this.#aloneOf.set(work, mine);
    await before;
  }
}

function loneId(messageId: string): string {
  return `${messageId} alone`;
}
