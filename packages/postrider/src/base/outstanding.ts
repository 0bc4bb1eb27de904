/** How much of a subscription is handed over and not settled, against what may be. */
export class Outstanding {
  readonly #maxCount: number;
  readonly #maxBytes: number;
  #count = 0;
  #bytes = 0;

  constructor(maxCount: number, maxBytes: number) {
    this.#maxCount = Math.max(1, maxCount);
    this.#maxBytes = maxBytes;
  }

  /** How many more may go out, by count. */
  get roomCount(): number {
    return Math.max(0, this.#maxCount - this.#count);
  }

  /** How many more bytes may go out. */
  get roomBytes(): number {
    return Math.max(0, this.#maxBytes - this.#bytes);
  }

  /** Counts a message in, unless there is no room for it; one that is too large goes alone. */
  tryAdd(bytes: number): boolean {
    if (this.#count >= this.#maxCount || (this.#count > 0 && this.#bytes + bytes > this.#maxBytes)) return false;
    this.add(bytes);
    return true;
  }

  add(bytes: number): void {
    this.#count++;
    this.#bytes += bytes;
  }

  /** Of one message, or of several together. */
  remove(bytes: number, count: number = 1): void {
    this.#count -= count;
    this.#bytes -= bytes;
  }
}
