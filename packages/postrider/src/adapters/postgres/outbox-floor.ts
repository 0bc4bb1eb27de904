/** What is known of a table's numbers at one moment, read in this order. */
export interface FloorLook {
  /** The last number that was given. */
  readonly last: number;
  /** The transactions that may have got a number until then and have not ended. */
  readonly writers: ReadonlySet<string>;
  /** The lowest number among rows that were put off. */
  readonly later: number | undefined;
}

/**
 * Finds how far a reader of numbered rows may forget what was before: the *floor*, up to which no row is left and none can still appear.
 *
 * A number is given before its transaction commits, so a row may appear behind one with a greater number. Who writes holds the table's row-exclusive lock from before it gets
 * a number until its end: when all that held it at a look have ended, every row up to the last number of that look is there or will never be. No clock is asked.
 * Why: without a floor each reading begins at the oldest row that was ever deleted and that a held snapshot keeps from being vacuumed.
 */
export class OutboxFloor {
  #floor: number;
  #look: FloorLook | undefined;
  #visibleTo = 0;
  #later = Infinity;
  #putOffs = 0;

  constructor(floor: number) {
    this.#floor = floor;
  }

  /** No row up to here needs to be looked for. */
  get floor(): number {
    return this.#floor;
  }

  /** Writers that the floor waits for. */
  get waitsFor(): ReadonlySet<string> {
    return this.#look?.writers ?? NOBODY;
  }

  /** What a look that begins now is handed in with. */
  get putOffs(): number {
    return this.#putOffs;
  }

  /** A row was put off: no reading finds it until its time. A look that began before has not seen it so. */
  putOff(sequence: number): void {
    this.#putOffs++;
    this.#later = Math.min(this.#later, sequence);
  }

  /** Everything is looked for again, from the first row on. */
  startOver(): void {
    this.#floor = 0;
    this.#visibleTo = 0;
    this.#look = undefined;
  }

  /** A new look at the numbers, which began when so many rows had been put off: one that has missed a row says nothing. */
  looked(look: FloorLook, putOffs: number): void {
    if (putOffs !== this.#putOffs) return;
    if (look.last < this.#floor) return this.startOver(); // the numbers began anew: a restored table
    this.#later = look.later ?? Infinity;
    const before = this.#look;
    if (before === undefined) return void (this.#look = look);
    const left = [...before.writers].filter((writer) => look.writers.has(writer));
    if (left.length > 0) return void (this.#look = { ...before, writers: new Set(left) });
    this.#visibleTo = before.last;
    this.#look = look;
  }

  /** Rows were read from the floor on: `first` is the lowest that was found, `held` the lowest that somebody still has. `visibleTo` is of before the reading. */
  read(visibleTo: number, first: number | undefined, held: number | undefined): void {
    const below = Math.min(first ?? Infinity, held ?? Infinity, this.#later) - 1;
    this.#floor = Math.max(this.#floor, Math.min(visibleTo, below));
  }

  /** Every row up to here is visible, or will never be. */
  get visibleTo(): number {
    return this.#visibleTo;
  }
}

const NOBODY: ReadonlySet<string> = new Set();
