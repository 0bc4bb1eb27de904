import type { Clock } from "../../base/clock.ts";
import { isPromise } from "../../base/deferred.ts";
import type { Lane } from "../../ports/transport.ts";
import type { LaneHolder, LaneSlot } from "./lane.ts";

const REFUSED_RETRY_MS = 1000; // before a lane is offered again to the one who refused it

/** What a group is made of. */
export interface GroupOptions {
  readonly service: string;
  readonly destination: string;
  readonly slots: readonly LaneSlot[];
  readonly clock: Clock;
  /** How long a holder may take to let a lane go, in milliseconds. */
  readonly revokeMs: number;
}

/**
 * One service's subscription to one destination: its lanes, shared fairly among the consumptions that have joined.
 *
 * Each holder gets its share, rounded up for those who have most already, so that few lanes move.
 */
export class Group {
  readonly service: string;
  readonly slots: readonly LaneSlot[];
  readonly #destination: string;
  readonly #clock: Clock;
  readonly #revokeMs: number;
  #holders: readonly LaneHolder[] = [];

  constructor(options: GroupOptions) {
    this.service = options.service;
    this.slots = options.slots;
    this.#destination = options.destination;
    this.#clock = options.clock;
    this.#revokeMs = options.revokeMs;
  }

  /** Whether anybody reads it. */
  get isRead(): boolean {
    return this.#holders.length > 0;
  }

  /** Takes part in the sharing from now on. */
  join(holder: LaneHolder): void {
    this.#holders = [...this.#holders, holder];
    this.#rebalance();
  }

  /** Gives all its lanes up and takes part no longer. Resolves once they are released. */
  async leave(holder: LaneHolder): Promise<void> {
    this.#holders = this.#holders.filter((other) => other !== holder);
    const own = this.slots.filter((slot) => slot.holder === holder);
    await Promise.all(own.map((slot) => this.#revoke(slot, "closing")));
    this.#rebalance();
  }

  /** Takes lanes from their owners without warning, as the end of a lease would, and gives them out anew. */
  loseLanes(): void {
    for (const slot of this.slots) {
      const { lane, holder } = slot;
      if (lane === undefined || holder === undefined) continue;
      slot.free();
      void Promise.resolve(holder.revoked(lane, "lost", 0));
    }
    this.#rebalance();
  }

  /** Everybody is gone, and knows nothing of it. */
  crash(): void {
    this.#holders = [];
    for (const slot of this.slots) slot.free();
  }

  #rebalance(): void {
    const held = new Map<LaneHolder, LaneSlot[]>(this.#holders.map((holder) => [holder, []]));
    for (const slot of this.slots) if (slot.holder !== undefined && slot.state !== "revoking") held.get(slot.holder)?.push(slot);
    const shares = [...held].sort(([, left], [, right]) => right.length - left.length);
    const least = Math.floor(this.slots.length / shares.length);
    const richer = this.slots.length % shares.length;
    shares.forEach(([, slots], at) => {
      for (const slot of slots.slice(least + (at < richer ? 1 : 0))) void this.#revoke(slot, "rebalance");
    });
    shares.forEach(([holder, slots], at) => this.#fill(holder, least + (at < richer ? 1 : 0) - slots.length));
  }

  #fill(holder: LaneHolder, room: number): void {
    for (const slot of this.slots) {
      if (room <= 0) return;
      if (slot.state !== "free" || slot.refusedBy === holder) continue;
      this.#assign(slot, holder);
      room--;
    }
  }

  #assign(slot: LaneSlot, holder: LaneHolder): void {
    const lane: Lane = Object.freeze({ service: this.service, destination: this.#destination, number: slot.number, epoch: ++slot.epoch });
    slot.lane = lane;
    slot.holder = holder;
    slot.state = "assigning";
    const arriving = holder.assigned(lane);
    if (!isPromise(arriving)) return this.#arrived(slot, lane);
    slot.arriving = arriving.then(
      () => this.#arrived(slot, lane),
      () => this.#refused(slot, lane),
    );
  }

  #arrived(slot: LaneSlot, lane: Lane): void {
    if (slot.lane !== lane || slot.state !== "assigning") return;
    slot.state = "owned";
    slot.arriving = undefined;
    slot.holder?.wake();
  }

  #refused(slot: LaneSlot, lane: Lane): void {
    if (slot.lane !== lane) return;
    const refuser = slot.holder;
    slot.free();
    slot.refusedBy = refuser;
    this.#clock.after(REFUSED_RETRY_MS, () => {
      if (slot.refusedBy === refuser) slot.refusedBy = undefined;
      this.#rebalance();
    });
    this.#rebalance();
  }

  #revoke(slot: LaneSlot, reason: "rebalance" | "closing"): Promise<void> {
    slot.going ??= this.#letGo(slot, slot.lane!, slot.holder!, reason);
    return slot.going;
  }

  async #letGo(slot: LaneSlot, lane: Lane, holder: LaneHolder, reason: "rebalance" | "closing"): Promise<void> {
    const { arriving } = slot;
    slot.state = "revoking";
    const ending = (async (): Promise<void> => {
      await arriving;
      if (slot.lane === lane) await holder.revoked(lane, reason, this.#revokeMs);
    })();
    await this.#within(ending);
    if (slot.lane !== lane) return; // lost, refused or crashed meanwhile
    slot.free();
    if (reason === "rebalance") this.#rebalance();
  }

  /** Settles with `ending`, or at the deadline. */
  #within(ending: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(this.#revokeMs, resolve);
      const done = (): void => {
        timer.cancel();
        resolve();
      };
      ending.then(done, done);
    });
  }
}
