/** What an {@link OpenSet} holds: it keeps its own place. */
export interface Placed {
  /** -1 while it is in no set. */
  place: number;
}

/**
 * A set of what is under way, in no order. An item is in one such set at a time.
 *
 * One array that is used over and over, where a `Set` would make a table anew for every few items: see {@link PositionMap} for what that costs.
 */
export class OpenSet<Item extends Placed> {
  readonly #items: (Item | undefined)[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(item: Item): void {
    item.place = this.#size;
    this.#items[this.#size++] = item;
  }

  /** Does nothing to an item that is not in it. */
  delete(item: Item): void {
    const { place } = item;
    if (this.#items[place] !== item) return;
    const last = this.#items[--this.#size]!;
    this.#items[place] = last;
    last.place = place;
    this.#items[this.#size] = undefined;
    item.place = -1;
  }

  /** Those that fit, as a list of its own. */
  filter(fits: (item: Item) => boolean): Item[] {
    return this.#items.slice(0, this.#size).filter((item): item is Item => fits(item!));
  }
}
