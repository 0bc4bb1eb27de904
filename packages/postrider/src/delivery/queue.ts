/** A first-in first-out queue whose ends cost the same at any length. */
export class Queue<Item> {
  #items: (Item | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  unshift(item: Item): void {
    if (this.#head > 0) this.#items[--this.#head] = item;
    else this.#items.unshift(item);
  }

  shift(): Item | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head > COMPACT_AT && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Takes out what fits, in order. */
  evict(fits: (item: Item) => boolean): Item[] {
    const out: Item[] = [];
    const rest: Item[] = [];
    for (let at = this.#head; at < this.#items.length; at++) {
      const item = this.#items[at] as Item;
      (fits(item) ? out : rest).push(item);
    }
    this.#items = rest;
    this.#head = 0;
    return out;
  }
}

const COMPACT_AT = 1024;
