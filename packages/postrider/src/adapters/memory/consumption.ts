import type { Clock } from "../../base/clock.ts";
import type { MaybePromise } from "../../base/deferred.ts";
import { listOf } from "../../base/list-of.ts";
import type { Consumption, ConsumptionStatus, Delivery, Lane, Sink, Subscription } from "../../ports/transport.ts";
import { MemoryDelivery } from "./delivery.ts";
import type { DeliveryOwner } from "./delivery.ts";
import type { Cursor } from "./cursor.ts";
import type { Group } from "./group.ts";
import type { LaneHolder, LaneSlot } from "./lane.ts";
import type { Entry } from "./log.ts";
import type { Turns } from "./turns.ts";

const MAX_BATCH = 64; // of one lane before the next lane has its turn
const MAX_BURST = 1024; // messages handed over in microtasks before timers, input and output have a turn

/** What a consumption is made of. */
export interface ConsumptionOptions {
  readonly subscription: Subscription;
  readonly sink: Sink;
  readonly group: Group;
  readonly clock: Clock;
  readonly turns: Turns;
  readonly onClosed: (consumption: MemoryConsumption) => void;
}

/** A running subscription: hands over what its lanes have, within its prefetch limits, in microtasks. */
export class MemoryConsumption implements Consumption, LaneHolder, DeliveryOwner {
  readonly #subscription: Subscription;
  readonly #sink: Sink;
  readonly #group: Group;
  readonly #clock: Clock;
  readonly #turns: Turns;
  readonly #onClosed: (consumption: MemoryConsumption) => void;
  readonly #isWanted: (entry: Entry) => boolean;
  readonly #pausedLanes = new Set<number>();
  readonly #refillCount: number;
  #isPaused = false;
  #isStopped = false;
  #isWoken = false;
  #isFull = false;
  #closing: Promise<void> | undefined;
  #outCount = 0;
  #outBytes = 0;
  #burst = 0;
  #firstSlot = 0;

  constructor(options: ConsumptionOptions) {
    this.#subscription = options.subscription;
    this.#sink = options.sink;
    this.#group = options.group;
    this.#clock = options.clock;
    this.#turns = options.turns;
    this.#onClosed = options.onClosed;
    // Filled up again once an eighth is free: batches instead of single messages.
    this.#refillCount = options.subscription.prefetchCount - Math.min(32, options.subscription.prefetchCount >> 3);
    this.#isWanted = wantedBy(options.subscription);
  }

  pause(lane?: Lane): void {
    if (lane === undefined) this.#isPaused = true;
    else this.#pausedLanes.add(lane.number);
  }

  resume(lane?: Lane): void {
    if (lane === undefined) {
      this.#isPaused = false;
      this.#pausedLanes.clear();
    } else {
      this.#pausedLanes.delete(lane.number);
    }
    this.wake();
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  inspect(): Promise<ConsumptionStatus> {
    const own = this.#ownSlots();
    let backlog = 0;
    let oldest: number | undefined;
    for (const slot of own) {
      for (const cursor of [slot.high, slot.normal]) {
        for (const entry of cursor.unfinished(this.#isWanted)) {
          backlog++;
          oldest = Math.min(oldest ?? entry.storedAt, entry.storedAt);
        }
      }
    }
    const lagSeconds = oldest === undefined ? undefined : (this.#clock.now() - oldest) / 1000;
    return Promise.resolve({ lanes: own.map((slot) => slot.lane!), backlog, lagSeconds });
  }

  /** Stops as the death of the process would: nobody is told. */
  crash(): void {
    this.#isStopped = true;
    this.#closing ??= Promise.resolve();
  }

  assigned(lane: Lane): MaybePromise<void> {
    return this.#sink.onAssigned(lane);
  }

  revoked(lane: Lane, reason: "rebalance" | "lost" | "closing", deadlineMs: number): MaybePromise<void> {
    return this.#sink.onRevoked(lane, reason, deadlineMs);
  }

  released(outCount: number, outBytes: number): void {
    this.#outCount -= outCount;
    this.#outBytes -= outBytes;
    this.wake();
  }

  settled(slot: LaneSlot, bytes: number, isGivenBack: boolean): void {
    this.#turns.note();
    slot.outCount--;
    slot.outBytes -= bytes;
    this.#outCount--;
    this.#outBytes -= bytes;
    if (isGivenBack || (this.#isFull && this.#outCount <= this.#refillCount)) this.wake();
  }

  wake(): void {
    if (this.#isWoken || this.#isStopped || this.#isPaused) return;
    this.#isWoken = true;
    this.#turns.note();
    if (this.#burst < MAX_BURST) return queueMicrotask(this.#pump);
    this.#burst = 0;
    void this.#clock.yield().then(this.#pump);
  }

  readonly #pump = (): void => {
    this.#isWoken = false;
    this.#isFull = false;
    if (this.#isStopped || this.#isPaused) return;
    const { slots } = this.#group;
    const first = this.#firstSlot++ % slots.length;
    let hasMore = false;
    for (let at = 0; at < slots.length && !this.#isFull; at++) {
      const slot = slots[(first + at) % slots.length]!;
      if (slot.holder !== this || slot.state !== "owned" || this.#pausedLanes.has(slot.number)) continue;
      const batch = this.#take(slot);
      hasMore ||= batch.length === MAX_BATCH;
      // Deliveries are taken before they are handed over: what the sink does meanwhile finds all counts right.
      if (batch.length > 0) this.#sink.deliver(batch[0]!.lane, batch);
    }
    if (hasMore && !this.#isFull) this.wake();
  };

  #take(slot: LaneSlot): Delivery[] {
    const batch: Delivery[] = listOf();
    while (batch.length < MAX_BATCH) {
      if (this.#outCount >= this.#subscription.prefetchCount) {
        this.#isFull = true;
        break;
      }
      const delivery = this.#takeFrom(slot, slot.high) ?? this.#takeFrom(slot, slot.normal);
      if (delivery === undefined) break;
      batch.push(delivery);
    }
    this.#burst += batch.length;
    return batch;
  }

  #takeFrom(slot: LaneSlot, cursor: Cursor): Delivery | undefined {
    if (this.#isFull) return undefined;
    const index = cursor.take(this.#isWanted);
    if (index < 0) return undefined;
    const { bytes } = cursor.entry(index);
    if (this.#outCount > 0 && this.#outBytes + bytes > this.#subscription.prefetchBytes) {
      cursor.giveBack(index);
      this.#isFull = true;
      return undefined;
    }
    slot.outCount++;
    slot.outBytes += bytes;
    this.#outCount++;
    this.#outBytes += bytes;
    return new MemoryDelivery(this, slot, cursor, index);
  }

  async #close(): Promise<void> {
    this.#isStopped = true;
    await this.#group.leave(this);
    this.#onClosed(this);
  }

  #ownSlots(): LaneSlot[] {
    return this.#group.slots.filter((slot) => slot.holder === this);
  }
}

function wantedBy(subscription: Subscription): (entry: Entry) => boolean {
  if (subscription.types === undefined) return () => true;
  const types = new Set(subscription.types);
  // A foreign message may be any type: only its reader can tell.
  return (entry) => entry.envelope === undefined || types.has(entry.envelope.type);
}
