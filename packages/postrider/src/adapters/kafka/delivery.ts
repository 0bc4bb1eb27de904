import type { MaybePromise } from "../../base/deferred.ts";
import type { Envelope, Headers, WireBody } from "../../envelope/envelope.ts";
import type { Delivery, Lane } from "../../ports/transport.ts";
import type { PartitionLane } from "./partition-lane.ts";
import type { Slot } from "./slots.ts";
import type { DecodedRecord } from "./record-reader.ts";

/** A lane as its deliveries know it. */
export type OwnedLane = PartitionLane<KafkaDelivery>;

/** Who is told that a delivery is settled. */
export interface Settler {
  settled(delivery: KafkaDelivery, isDone: boolean): void;
}

/** One hand-over of a record. */
export class KafkaDelivery implements Delivery {
  readonly bytes: number;
  readonly isRedelivered: boolean;
  readonly slot: Slot;
  readonly owner: OwnedLane;
  readonly #record: DecodedRecord;
  readonly #settler: Settler;
  #isOut = true;

  constructor(
    record: DecodedRecord,
    place: { readonly slot: Slot; readonly owner: OwnedLane; readonly bytes: number },
    settler: Settler,
    isRedelivered: boolean,
  ) {
    this.#record = record;
    this.slot = place.slot;
    this.owner = place.owner;
    this.bytes = place.bytes;
    this.#settler = settler;
    this.isRedelivered = isRedelivered;
  }

  get lane(): Lane {
    return this.owner.lane;
  }

  /** Its offset, counted from 1. */
  get position(): number {
    return this.slot.offset + 1;
  }

  get envelope(): Envelope | undefined {
    return this.#record.envelope;
  }

  get headers(): Headers {
    return this.#record.headers;
  }

  get body(): WireBody {
    return this.#record.body;
  }

  get mayRepeat(): boolean {
    return this.#record.mayRepeat;
  }

  ack(): MaybePromise<void> {
    this.#settle(true);
  }

  giveBack(): MaybePromise<void> {
    this.#settle(false);
  }

  /** The same message, to be handed over once more. */
  again(): KafkaDelivery {
    return new KafkaDelivery(this.#record, this, this.#settler, true);
  }

  #settle(isDone: boolean): void {
    if (!this.#isOut) return;
    this.#isOut = false;
    this.#settler.settled(this, isDone);
  }
}
