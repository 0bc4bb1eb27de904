/** In a row of those that go first one of the others gets its turn after so many. */
const FIRST_IN_A_ROW = 3;

/**
 * So many at once; others wait in the order in which they came, but for those that go first.
 *
 * Transactions take one place each, fewer than there are connections: what they do meanwhile outside themselves always finds one, or all would wait for each other.
 */
export class Places {
  /** How many there are. */
  readonly count: number;
  #free: number;
  #firstInARow = 0;
  readonly #first: (() => void)[] = [];
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.count = count;
    this.#free = count;
  }

  /**
   * Resolves once there is a place, with what gives it up.
   * @param goesFirst before those that do not, of whom every fourth place is all the same
   */
  async enter(goesFirst: boolean): Promise<() => void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => (goesFirst ? this.#first : this.#waiting).push(resolve));
    return () => this.#leave();
  }

  #leave(): void {
    const next = this.#next();
    if (next === undefined) this.#free++;
    else next(); // the place goes from hand to hand
  }

  #next(): (() => void) | undefined {
    const isTheirTurn = this.#waiting.length === 0 || this.#firstInARow < FIRST_IN_A_ROW;
    const first = isTheirTurn ? this.#first.shift() : undefined;
    this.#firstInARow = first === undefined ? 0 : this.#firstInARow + 1;
    return first ?? this.#waiting.shift();
  }
}
