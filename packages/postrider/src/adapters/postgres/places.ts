/**
 * So many at once; others wait in the order in which they came.
 *
 * Transactions take one place each, fewer than there are connections: what they do meanwhile outside themselves always finds one, or all would wait for each other.
 */
export class Places {
  /** How many there are. */
  readonly count: number;
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.count = count;
    this.#free = count;
  }

  /** Resolves once there is a place, with what gives it up. */
  async enter(): Promise<() => void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return () => this.#leave();
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next(); // the place goes from hand to hand
  }
}
