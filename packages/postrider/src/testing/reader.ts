import type { MaybePromise } from "../base/deferred.ts";
import type { PostriderError } from "../base/errors.ts";
import type { Consumption, Delivery, Lane, Sink } from "../ports/transport.ts";

/** What a {@link Reader} does beside recording. */
export interface ReaderOptions {
  /** Default: acknowledges at once. */
  readonly onDelivery?: (delivery: Delivery) => void;
  readonly onAssigned?: (lane: Lane) => MaybePromise<void>;
  readonly onRevoked?: (lane: Lane, reason: string) => MaybePromise<void>;
}

/** A sink that records everything: what the conformance suite consumes with. */
export class Reader implements Sink {
  /** All deliveries, in the order they came. */
  readonly deliveries: Delivery[] = [];
  /** `assigned 3`, `delivered 3`, `revoked 3 closing`, in the order they happened. */
  readonly history: string[] = [];
  readonly errors: PostriderError[] = [];
  /** Its lanes now, by number. */
  readonly lanes: Map<number, Lane> = new Map();
  /** Set once the consumption runs. */
  consumption: Consumption | undefined;
  readonly #options: ReaderOptions;

  constructor(options: ReaderOptions = {}) {
    this.#options = options;
  }

  async onAssigned(lane: Lane): Promise<void> {
    await this.#options.onAssigned?.(lane);
    this.lanes.set(lane.number, lane);
    this.history.push(`assigned ${lane.number}`);
  }

  async onRevoked(lane: Lane, reason: "rebalance" | "lost" | "closing"): Promise<void> {
    this.history.push(`revoked ${lane.number} ${reason}`);
    await this.#options.onRevoked?.(lane, reason);
    if (this.lanes.get(lane.number)?.epoch === lane.epoch) this.lanes.delete(lane.number);
  }

  deliver(lane: Lane, batch: readonly Delivery[]): void {
    this.history.push(`delivered ${lane.number}`);
    for (const delivery of batch) {
      this.deliveries.push(delivery);
      if (this.#options.onDelivery === undefined) void delivery.ack();
      else this.#options.onDelivery(delivery);
    }
  }

  onError(error: PostriderError): void {
    this.errors.push(error);
  }

  /** The ids of all deliveries, in order, repeated ones included. */
  ids(): string[] {
    return this.deliveries.map(idOf);
  }

  /** How many different messages came. */
  count(): number {
    return new Set(this.ids()).size;
  }
}

/** A delivery's message id; the body's text where it has no envelope. */
export function idOf(delivery: Pick<Delivery, "envelope" | "body">): string {
  return delivery.envelope?.id ?? String(delivery.body);
}
