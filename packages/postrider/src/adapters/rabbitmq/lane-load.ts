import type { Arrival } from "./delivery.ts";
import { LaneBuffer } from "./lane-buffer.ts";

/** What came of a lane and is not settled: what is yet to be handed over, urgent before normal, and what is out. */
export class LaneLoad {
  readonly #high = new LaneBuffer();
  readonly #normal = new LaneBuffer();
  readonly #out = new Set<Arrival>();
  #outBytes = 0;
  #bytes = 0;

  /** Everything that is not settled. */
  get count(): number {
    return this.#out.size + this.#high.length + this.#normal.length;
  }

  get outCount(): number {
    return this.#out.size;
  }

  get outBytes(): number {
    return this.#outBytes;
  }

  /** Bytes of everything that is not settled. */
  get bytes(): number {
    return this.#bytes;
  }

  push(arrival: Arrival): void {
    this.#bytes += arrival.found.bytes;
    (arrival.isHigh ? this.#high : this.#normal).push(arrival);
  }

  /** The next one to hand over. */
  peek(): Arrival | undefined {
    return this.#high.peek() ?? this.#normal.peek();
  }

  /** Hands over what {@link peek} showed: it is out from now on. */
  take(): Arrival {
    const arrival = (this.#high.shift() ?? this.#normal.shift())!;
    this.#out.add(arrival);
    this.#outBytes += arrival.found.bytes;
    return arrival;
  }

  /** It is settled; whether it was out. */
  settle(arrival: Arrival): boolean {
    if (!this.#leave(arrival)) return false;
    this.#bytes -= arrival.found.bytes;
    return true;
  }

  /** It is to be handed over again, before all that came after it; whether it was out. */
  giveBack(arrival: Arrival): boolean {
    if (!this.#leave(arrival)) return false;
    (arrival.isHigh ? this.#high : this.#normal).giveBack(arrival);
    return true;
  }

  clear(): void {
    this.#high.clear();
    this.#normal.clear();
    this.#out.clear();
    this.#outBytes = 0;
    this.#bytes = 0;
  }

  #leave(arrival: Arrival): boolean {
    if (!this.#out.delete(arrival)) return false;
    this.#outBytes -= arrival.found.bytes;
    return true;
  }
}
