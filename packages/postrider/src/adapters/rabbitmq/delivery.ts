import type { Envelope, Headers, WireBody } from "../../envelope/envelope.ts";
import type { Delivery, Lane } from "../../ports/transport.ts";
import type { WireFound } from "./wire.ts";

/** A message of a lane that was not settled yet: its place on its channel, and what it is. */
export interface Arrival {
  readonly tag: number;
  readonly isHigh: boolean;
  readonly found: WireFound;
  readonly wasDelivered: boolean;
}

/** Who is told what became of a delivery. */
export interface DeliveryOwner {
  settled(arrival: Arrival): void;
  /** It is to be handed over again. */
  givenBack(arrival: Arrival): void;
}

/** One hand-over. Settled once; what comes after that, or after its lane has gone, says nothing. */
export class RabbitDelivery implements Delivery {
  readonly lane: Lane;
  readonly #arrival: Arrival;
  readonly #owner: DeliveryOwner;
  #isOpen = true;

  constructor(owner: DeliveryOwner, lane: Lane, arrival: Arrival) {
    this.#owner = owner;
    this.lane = lane;
    this.#arrival = arrival;
  }

  get envelope(): Envelope | undefined {
    return this.#arrival.found.envelope;
  }

  get headers(): Headers {
    return this.#arrival.found.headers;
  }

  get body(): WireBody {
    return this.#arrival.found.body;
  }

  /** A queue has no positions that stay. */
  get position(): number {
    return 0;
  }

  get isRedelivered(): boolean {
    return this.#arrival.wasDelivered;
  }

  get mayRepeat(): boolean {
    return this.#arrival.found.mayRepeat;
  }

  get bytes(): number {
    return this.#arrival.found.bytes;
  }

  ack(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#owner.settled(this.#arrival);
  }

  giveBack(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#owner.givenBack(this.#arrival);
  }
}
