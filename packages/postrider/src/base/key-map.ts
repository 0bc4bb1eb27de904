import { hashOf } from "./ids.ts";

const FIRST_CAPACITY = 64; // a power of two, as all that follow

/**
 * Values by a text, for what comes and goes all the time.
 *
 * A `Map` makes a new table for every few additions, and each old one refers to the next: see {@link PositionMap} for what that costs. Here arrays are used
 * over and over: a key is at the first free place from where its hash points to.
 */
export class KeyMap<Value> {
  #keys: (string | undefined)[] = places(FIRST_CAPACITY);
  #values: (Value | undefined)[] = places(FIRST_CAPACITY);
  #hashes: number[] = hashes(FIRST_CAPACITY);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): Value | undefined {
    return this.#values[this.#find(key, hashOf(key))];
  }

  /** Adds a value unless the key has one; whether it did. */
  add(key: string, value: Value): boolean {
    if (2 * this.#size >= this.#keys.length) this.#grow();
    const hash = hashOf(key);
    const at = this.#find(key, hash);
    if (this.#keys[at] !== undefined) return false;
    this.#put(at, key, value, hash);
    this.#size++;
    return true;
  }

  /** Adds a value, or replaces the one of the key. */
  set(key: string, value: Value): void {
    if (!this.add(key, value)) this.#values[this.#find(key, hashOf(key))] = value;
  }

  /** Takes a key out, and gives what it had. */
  take(key: string): Value | undefined {
    const at = this.#find(key, hashOf(key));
    if (this.#keys[at] === undefined) return undefined;
    const value = this.#values[at];
    this.#size--;
    this.#close(at);
    return value;
  }

  /** In no order. Values may be set meanwhile, keys neither come nor go. */
  *entries(): Generator<readonly [string, Value], void> {
    for (const [at, key] of this.#keys.entries()) if (key !== undefined) yield [key, this.#values[at] as Value];
  }

  /** Where a key is, or would be put. */
  #find(key: string, hash: number): number {
    const mask = this.#keys.length - 1;
    let at = hash & mask;
    while (this.#keys[at] !== undefined && !(this.#hashes[at] === hash && this.#keys[at] === key)) at = (at + 1) & mask;
    return at;
  }

  #put(at: number, key: string | undefined, value: Value | undefined, hash: number): void {
    this.#keys[at] = key;
    this.#values[at] = value;
    this.#hashes[at] = hash;
  }

  /** Frees a place: what stands behind it only because it was taken moves up, or it would not be found any more. */
  #close(freed: number): void {
    const mask = this.#keys.length - 1;
    let gap = freed;
    for (let at = (gap + 1) & mask; this.#keys[at] !== undefined; at = (at + 1) & mask) {
      const hash = this.#hashes[at]!;
      const isAfterGap = ((at - hash) & mask) >= ((at - gap) & mask);
      if (!isAfterGap) continue;
      this.#put(gap, this.#keys[at], this.#values[at], hash);
      gap = at;
    }
    this.#put(gap, undefined, undefined, 0);
  }

  #grow(): void {
    const [keys, values, oldHashes] = [this.#keys, this.#values, this.#hashes];
    this.#keys = places(2 * keys.length);
    this.#values = places(2 * keys.length);
    this.#hashes = hashes(2 * keys.length);
    for (const [at, key] of keys.entries()) {
      if (key !== undefined) this.#put(this.#find(key, oldHashes[at]!), key, values[at], oldHashes[at]!);
    }
    keys.fill(undefined);
    values.fill(undefined);
  }
}

function places<Item>(capacity: number): (Item | undefined)[] {
  return Array.from<undefined>({ length: capacity });
}

function hashes(capacity: number): number[] {
  return Array.from({ length: capacity }, () => 0);
}
