import { Fifo } from "../../base/fifo.ts";
import type { Arrival } from "./delivery.ts";

/** What came of a lane and is not handed over: what was given back first, in its order, then the rest in the order it came. */
export class LaneBuffer {
  readonly #items = new Fifo<Arrival>();
  readonly #back: Arrival[] = [];

  get length(): number {
    return this.#items.length + this.#back.length;
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
    return this.#back[0] ?? this.#items.at(0);
  }

  shift(): Arrival | undefined {
    return this.#back.shift() ?? this.#items.shift();
  }

  clear(): void {
    this.#items.evict(() => true);
    this.#back.length = 0;
  }
}
