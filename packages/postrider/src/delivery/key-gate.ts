import { KeyMap } from "../base/key-map.ts";

/** What waits at a gate: something with an ordering key, or without. */
export interface Keyed {
  readonly key: string | undefined;
}

/** Lets one message of a key through at a time, in the order they came. Messages without a key pass freely. */
export class KeyGate<Item extends Keyed> {
  // A key that is taken maps to those that wait for it; undefined while nobody does, so that the common case allocates nothing.
  readonly #taken = new KeyMap<Item[] | undefined>();
  #waiting = 0;

  /** Whether the item may go on now. If not, it comes back from `leave` of the one before it. */
  enter(item: Item): boolean {
    const { key } = item;
    if (key === undefined) return true;
    if (this.#taken.add(key, undefined)) return true;
    const queue = this.#taken.get(key);
    if (queue === undefined) this.#taken.set(key, [item]);
    else queue.push(item);
    this.#waiting++;
    return false;
  }

  /** The item is done: returns the next of its key, which may go on now. */
  leave(item: Item): Item | undefined {
    const { key } = item;
    if (key === undefined) return undefined;
    const queue = this.#taken.take(key);
    const next = queue?.shift();
    if (next === undefined) return undefined;
    this.#taken.set(key, queue);
    this.#waiting--;
    return next;
  }

  /** Takes out those that wait and fit, in their order; what was let through stays. */
  evict(fits: (item: Item) => boolean): Item[] {
    const out: Item[] = [];
    for (const [key, queue] of this.#taken.entries()) {
      if (queue === undefined) continue;
      const rest = queue.filter((item) => (fits(item) ? (out.push(item), false) : true));
      this.#taken.set(key, rest.length > 0 ? rest : undefined);
    }
    this.#waiting -= out.length;
    return out;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting;
  }
}
