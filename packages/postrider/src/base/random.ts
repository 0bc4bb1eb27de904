/** Chance as the library sees it. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
}

/** The machine's own chance; not for secrets. */
export const systemRandom: Random = { next: () => Math.random() };

/** Chance that repeats itself: the same seed gives the same numbers. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    next() {
      // The SplitMix32 step: every 32-bit seed gives a full-period stream.
      state = (state + 0x9e3779b9) >>> 0;
      let mixed = state ^ (state >>> 16);
      mixed = Math.imul(mixed, 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
    },
  };
}
