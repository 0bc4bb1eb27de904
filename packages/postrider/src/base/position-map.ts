const FIRST_CAPACITY = 64;
const GONE = Symbol("gone");

/**
 * Values by position, oldest first, for what comes and goes all the time: mostly added at the end and taken from near the beginning.
 *
 * A `Map` makes a new table for every few additions, and each old one refers to the next: one that has grown old keeps everything that was in any later
 * one alive until the next full collection. Measured with a business row per message (Node 26, November 2026): 6.0 us of collection a message with maps
 * and sets of what is open, see docs/adr/0007-delivery-runtime.md. Here two arrays are used over and over.
 */
export class PositionMap<Value> {
  #positions: number[] = Array.from({ length: FIRST_CAPACITY }, () => 0);
  #values: (Value | typeof GONE)[] = Array.from({ length: FIRST_CAPACITY }, () => GONE);
  #first = 0;
  #end = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The lowest position; undefined where there is none. */
  get oldest(): number | undefined {
    return this.#size === 0 ? undefined : this.#positions[this.#first];
  }

  has(position: number): boolean {
    return this.#find(position) !== -1;
  }

  /** Adds a value, or replaces the one at its position. */
  set(position: number, value: Value): void {
    if (this.#first !== this.#end && position <= this.#positions[this.#end - 1]!) return this.#setWithin(position, value);
    if (this.#end === this.#positions.length) this.#makeRoom();
    this.#positions[this.#end] = position;
    this.#values[this.#end++] = value;
    this.#size++;
  }

  delete(position: number): void {
    this.take(position);
  }

  /** Takes a value out; undefined where there is none. */
  take(position: number): Value | undefined {
    const at = this.#find(position);
    if (at === -1) return undefined;
    const value = this.#values[at] as Value;
    this.#values[at] = GONE;
    this.#size--;
    while (this.#first < this.#end && this.#values[this.#first] === GONE) this.#first++;
    if (this.#first === this.#end) this.#first = this.#end = 0;
    return value;
  }

  *positions(): Generator<number, void> {
    for (let at = this.#first; at < this.#end; at++) if (this.#values[at] !== GONE) yield this.#positions[at]!;
  }

  *values(): Generator<Value, void> {
    for (let at = this.#first; at < this.#end; at++) {
      const value = this.#values[at]!;
      if (value !== GONE) yield value;
    }
  }

  #find(position: number): number {
    const at = this.#placeOf(position);
    return at < this.#end && this.#positions[at] === position && this.#values[at] !== GONE ? at : -1;
  }

  /** The first place that is not before a position. */
  #placeOf(position: number): number {
    const positions = this.#positions;
    let low = this.#first;
    if (low < this.#end && positions[low]! >= position) return low; // mostly the oldest goes first
    let high = this.#end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (positions[middle]! < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #setWithin(position: number, value: Value): void {
    const at = this.#placeOf(position);
    if (this.#positions[at] !== position) {
      this.#positions.splice(at, 0, position);
      this.#values.splice(at, 0, value);
      this.#end++;
      this.#size++;
      return;
    }
    if (this.#values[at] === GONE) this.#size++;
    this.#values[at] = value;
  }

  /** Closes the gaps; takes twice the room where that is not enough. */
  #makeRoom(): void {
    let kept = 0;
    for (let at = this.#first; at < this.#end; at++) {
      const value = this.#values[at]!;
      if (value === GONE) continue;
      this.#positions[kept] = this.#positions[at]!;
      this.#values[kept++] = value;
    }
    this.#values.fill(GONE, kept);
    this.#first = 0;
    this.#end = kept;
    while (this.#positions.length < 2 * kept) {
      this.#positions.push(0);
      this.#values.push(GONE);
    }
  }
}
