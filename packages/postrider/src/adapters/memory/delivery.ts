import { fail } from "../../base/errors.ts";
import type { Envelope, Headers, WireBody } from "../../envelope/envelope.ts";
import type { Delivery, Lane } from "../../ports/transport.ts";
import type { Cursor } from "./cursor.ts";
import type { LaneSlot } from "./lane.ts";
import type { Entry } from "./log.ts";
import type { MemoryUnit, Participant } from "./transactions.ts";

/** Who is told that a delivery was settled. */
export interface DeliveryOwner {
  /** One message less is out. */
  settled(slot: LaneSlot, bytes: number, isGivenBack: boolean): void;
}

/**
 * One hand-over.
 *
 * open → settling (in a transaction; a rollback goes back to open) → settled. `ack` and `giveBack` settle an open one at once.
 */
export class MemoryDelivery implements Delivery, Participant {
  readonly lane: Lane;
  readonly isRedelivered: boolean;
  readonly #entry: Entry;
  readonly #slot: LaneSlot;
  readonly #cursor: Cursor;
  readonly #index: number;
  readonly #owner: DeliveryOwner;
  #state: "open" | "settling" | "settled" = "open";

  constructor(owner: DeliveryOwner, slot: LaneSlot, cursor: Cursor, index: number) {
    this.lane = slot.lane!;
    this.isRedelivered = cursor.handOver(index);
    this.#entry = cursor.entry(index);
    this.#slot = slot;
    this.#cursor = cursor;
    this.#index = index;
    this.#owner = owner;
  }

  get envelope(): Envelope | undefined {
    return this.#entry.envelope;
  }

  get headers(): Headers {
    return this.#entry.headers;
  }

  get body(): WireBody {
    return this.#entry.body;
  }

  get position(): number {
    return this.#entry.position;
  }

  get mayRepeat(): boolean {
    return this.#entry.mayRepeat;
  }

  get bytes(): number {
    return this.#entry.bytes;
  }

  ack(): void {
    if (this.#state === "open") this.commit();
  }

  giveBack(): void {
    if (this.#state !== "open") return;
    this.#state = "settled";
    if (!this.#isOurs()) return;
    this.#cursor.giveBack(this.#index);
    this.#owner.settled(this.#slot, this.bytes, true);
  }

  /** Settles with the commit of this transaction. @throws PR_LEASE_LOST */
  settleIn(unit: MemoryUnit): void {
    if (this.#state !== "open") return;
    this.prepare();
    unit.join(this);
    this.#state = "settling";
  }

  prepare(): void {
    if (!this.#isOurs()) throw fail("PR_LEASE_LOST", { lease: `${this.lane.destination} lane ${this.lane.number}` });
  }

  commit(): void {
    this.#state = "settled";
    // The lane may have gone since; then the message is its next owner's, and this settling says nothing.
    if (!this.#isOurs()) return;
    this.#cursor.finish(this.#index);
    this.#owner.settled(this.#slot, this.bytes, false);
  }

  rollback(): void {
    this.#state = "open";
  }

  #isOurs(): boolean {
    return this.#slot.lane === this.lane;
  }
}
