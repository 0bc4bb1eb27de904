const FIRST_CAPACITY = 32; // a power of two, as all that follow

/**
 * A first-in first-out queue whose ends cost the same at any length, in one array that is used over and over.
 *
 * An array that is cut off at its beginning now and then leaves the cut one behind. It has grown old, is collected late, and until then keeps what still
 * waited at that moment, with all that hangs on it: in a flood a fifth of everything survived that way, and collection was a sixth of the time.
 */
export class Fifo<Item> {
  #items: (Item | undefined)[] = empty<Item>(FIRST_CAPACITY);
  #first = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(item: Item): void {
    if (this.#length === this.#items.length) this.#grow();
    this.#items[(this.#first + this.#length++) & (this.#items.length - 1)] = item;
  }

  unshift(item: Item): void {
    if (this.#length === this.#items.length) this.#grow();
    this.#first = (this.#first - 1) & (this.#items.length - 1);
    this.#items[this.#first] = item;
    this.#length++;
  }

  shift(): Item | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#items[this.#first];
    this.#items[this.#first] = undefined; // lets go of it now
    this.#first = (this.#first + 1) & (this.#items.length - 1);
    this.#length--;
    return item;
  }

  /** The item at a place, 0 for the next one. */
  at(place: number): Item | undefined {
    return place < this.#length ? this.#items[(this.#first + place) & (this.#items.length - 1)] : undefined;
  }

  /** Takes out what fits, in order. */
  evict(fits: (item: Item) => boolean): Item[] {
    const out: Item[] = [];
    for (let left = this.#length; left > 0; left--) {
      const item = this.shift()!;
      if (fits(item)) out.push(item);
      else this.push(item);
    }
    return out;
  }

  #grow(): void {
    const old = this.#items;
    const items = empty<Item>(2 * old.length);
    for (let at = 0; at < this.#length; at++) items[at] = this.at(at);
    old.fill(undefined);
    this.#items = items;
    this.#first = 0;
  }
}

function empty<Item>(capacity: number): (Item | undefined)[] {
  return Array.from<undefined>({ length: capacity });
}
