/**
 * What is missing in a log: positions below one that is there.
 *
 * A position is given out before its row is committed, so a missing one either comes with its commit or, after a rollback, never. Whoever may still
 * commit holds the append lock since before it took the position. So once everybody who held it when the gap was seen has let go, what is missing then
 * is missing for good. States: *open* (holders not known yet, or some are left), *closed* (nobody is left: read once more, and what is missing never comes).
 */
export class Gap {
  /** The highest position that was seen when the gap was. */
  readonly upTo: number;
  #holders: ReadonlySet<string> | undefined;

  constructor(upTo: number) {
    this.upTo = upTo;
  }

  get isClosed(): boolean {
    return this.#holders?.size === 0;
  }

  /** Takes who holds the append lock now. Must be asked for after the gap was seen, and before the log is read again. */
  observe(holdersNow: readonly string[]): void {
    const now = new Set(holdersNow);
    this.#holders = this.#holders === undefined ? now : new Set([...this.#holders].filter((holder) => now.has(holder)));
  }
}

/** How many of some positions, in order, can be read behind `end`: up to the first that may still be missing. */
export function readableCount(positions: readonly number[], end: number, gap: Gap | undefined): number {
  let last = end;
  for (let at = 0; at < positions.length; at++) {
    const position = positions[at]!;
    if (position !== last + 1 && !(gap?.isClosed === true && position - 1 <= gap.upTo)) return at;
    last = position;
  }
  return positions.length;
}
