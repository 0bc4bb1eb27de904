/** What is known of a table's numbers at one moment, read in this order. */
export interface FloorLook {
  /** The last number that was given. */
  readonly last: number;
  /** The transactions that may have got a number until then and have not ended. */
  readonly writers: ReadonlySet<string>;
}

/**
 * Finds how far a reader of numbered rows may forget what was before: the *floor*, up to which no row is left and none can still appear.
 *
 * A number is given before its transaction commits, so a row may appear behind one with a greater number. Who writes holds the table's row-exclusive lock from before it gets
 * a number until its end: when all that held it at a look have ended, every row up to the last number of that look is there or will never be. No clock is asked.
 * Why: without a floor each reading begins at the oldest row that was ever deleted and that a held snapshot keeps from being vacuumed.
 *
 * Of a backlog thousands of rows are out or wait in memory at a time, and each reading from the floor would read over them again (half of what it costs). So there is a mark further on: *read to* is
 * how far all that will ever be there was read and is known to whoever reads. It is forgotten as soon as that one forgets any of it.
 */
export class OutboxFloor {
  #floor: number;
  #look: FloorLook | undefined;
  #visibleTo = 0;
  #readTo = 0;
  /** Rows that no reading finds until their time. */
  readonly #later = new Set<number>();
  #knowsLater = false;

  constructor(floor: number) {
    this.#floor = floor;
  }

  /** No row up to here needs to be looked for. */
  get floor(): number {
    return this.#floor;
  }

  /** Where the next reading may begin: what is before it was read, and is out, waits in memory or is gone. */
  get from(): number {
    return Math.max(this.#floor, this.#readTo);
  }

  /** What was read is not known any more: it is read again. */
  forget(): void {
    this.#readTo = 0;
  }

  /** Writers that the floor waits for. */
  get waitsFor(): ReadonlySet<string> {
    return this.#look?.writers ?? NOBODY;
  }

  /** Whether it knows which rows were put off; it stays where it is until then. */
  get knowsLater(): boolean {
    return this.#knowsLater;
  }

  /** Rows that had been put off before this began. */
  foundLater(sequences: readonly number[]): void {
    for (const sequence of sequences) this.#later.add(sequence);
    this.#knowsLater = true;
  }

  /** A row was put off: no reading finds it until its time. */
  putOff(sequence: number): void {
    this.#later.add(sequence);
  }

  /** A row is handed out, whether it was put off before or not. */
  handedOut(sequence: number): void {
    this.#later.delete(sequence);
  }

  /** Everything is looked for again, from the first row on. */
  startOver(): void {
    this.#floor = 0;
    this.#visibleTo = 0;
    this.#readTo = 0;
    this.#look = undefined;
    this.#later.clear();
    this.#knowsLater = false;
  }

  /** A new look at the numbers. */
  looked(look: FloorLook): void {
    if (look.last < this.#floor) return this.startOver(); // the numbers began anew: a restored table
    const before = this.#look;
    if (before === undefined) return void (this.#look = look);
    const left = [...before.writers].filter((writer) => look.writers.has(writer));
    if (left.length > 0) return void (this.#look = { ...before, writers: new Set(left) });
    this.#visibleTo = before.last;
    this.#look = look;
  }

  /** Rows were read from `from` on: `first` is the lowest that was found, `held` the lowest that somebody still has. `visibleTo` is of before the reading, and so is `from`. */
  read(visibleTo: number, first: number | undefined, held: number | undefined): void {
    if (!this.#knowsLater) return;
    let lowest = Math.min(first ?? Infinity, held ?? Infinity);
    for (const sequence of this.#later) if (sequence < lowest) lowest = sequence;
    this.#floor = Math.max(this.#floor, Math.min(visibleTo, lowest - 1));
  }

  /** All rows up to `last` that a reading could see are known now; `visibleTo` is of before it. Rows that were put off, and those behind them, are not: no reading finds them until their time. */
  readTo(visibleTo: number, last: number): void {
    if (this.#knowsLater && this.#later.size === 0) this.#readTo = Math.max(this.#readTo, Math.min(visibleTo, last));
  }

  /** Every row up to here is visible, or will never be. */
  get visibleTo(): number {
    return this.#visibleTo;
  }
}

const NOBODY: ReadonlySet<string> = new Set();
