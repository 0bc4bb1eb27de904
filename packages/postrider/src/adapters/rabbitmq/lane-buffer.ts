import type { Arrival } from "./delivery.ts";

/** What came of a lane and is not handed over: what was given back first, in its order, then the rest in the order it came. */
export class LaneBuffer {
  #items: (Arrival | undefined)[] = [];
  #head = 0;
  readonly #back: Arrival[] = [];

  get length(): number {
    return this.#items.length - this.#head + this.#back.length;
  }

  push(arrival: Arrival): void {
    this.#items.push(arrival);
  }

  /** Puts back what was handed over, to where it was: before all that came later. */
  giveBack(arrival: Arrival): void {
    let at = this.#back.length;
    while (at > 0 && this.#back[at - 1]!.tag > arrival.tag) at--;
    this.#back.splice(at, 0, { ...arrival, wasDelivered: true });
  }

  peek(): Arrival | undefined {
    return this.#back[0] ?? this.#items[this.#head];
  }

  shift(): Arrival | undefined {
    if (this.#back.length > 0) return this.#back.shift();
    if (this.#head === this.#items.length) return undefined;
    const arrival = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head >= COMPACT_AT && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return arrival;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
    this.#back.length = 0;
  }
}

const COMPACT_AT = 256;
