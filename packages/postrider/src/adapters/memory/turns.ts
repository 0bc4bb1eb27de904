import type { Clock } from "../../base/clock.ts";

const MAX_BURST = 1024; // calls that settle in microtasks before timers, input and output have a turn

/** Lets the rest of the process have its turn now and then: a chain of calls that settle at once would never end its turn. */
export class Turns {
  readonly #clock: Clock;
  #burst = 0;
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Grows with everything that happens. */
  get count(): number {
    return this.#count;
  }

  /** Something happened. */
  note(): void {
    this.#count++;
  }

  /** Resolves to `result`: at once, or after a turn of the process when enough calls have been at once. */
  settle<Result>(result: Result, weight: number = 1): Promise<Result> {
    this.#count++;
    this.#burst += weight;
    if (this.#burst < MAX_BURST) return Promise.resolve(result);
    this.#burst = 0;
    return this.#clock.yield().then(() => result);
  }
}
