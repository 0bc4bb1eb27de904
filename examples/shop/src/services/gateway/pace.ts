import type { Clock, Timer } from "postrider";
import type { Placing } from "./place.ts";

const GOAL_MS = 200; // from an order's acceptance to its reservation, as the gateway hears of it
const LONGEST_MS = 4_000;
const MOST_IN_LINE = 100;
const LOOK_MS = 40;
const LOOK_AGAIN_MS = 1_000; // after one that failed
const MOST_LOOKED_AT = 64;
const FORGOTTEN_AFTER_MS = 20_000; // what stands still for this long holds up nobody else
const WINDOW = { first: 16, least: 4, most: 2_000, shrinksTo: 0.6 };

/** What keeping pace needs. */
export interface PaceNeeds {
  readonly clock: Clock;
  /** Those of some orders that nothing is known of but that they were accepted. */
  readonly pendingOf: (orderIds: readonly string[]) => Promise<readonly string[]>;
  readonly onError: (error: unknown) => void;
}

/**
 * Lets orders in no faster than they come to be reserved: who is accepted is served soon, and can change their mind, while the others wait at the door.
 *
 * As many may be on their way as get there within 200 ms; the number follows what is seen, as TCP's window does. In a rush, which is when the door has a line,
 * the answer waits for the reservation too: who has it can still change their mind, for the parcel is not on its way, and comes back for the next order no sooner.
 * It holds up for a while, and never refuses: nobody waits for more than 4 s in all, and of a rush no more than a hundred stand at the door. Where a broker is away,
 * orders are so taken more slowly, and all that come are.
 */
export class Pace {
  readonly #needs: PaceNeeds;
  readonly #onTheWay = new Map<string, number>(); // since when, the eldest first
  readonly #unanswered = new Map<string, () => void>(); // accepted in a rush
  readonly #line = new Set<() => void>();
  #atTheDesk = 0;
  #window = WINDOW.first;
  #shrinksAfterMs = 0;
  #isLooking = false;
  #lookMs = LOOK_MS;
  #timer: Timer | undefined;

  constructor(needs: PaceNeeds) {
    this.#needs = needs;
  }

  /** Places an order once there is room for it, or has been none for too long. In a rush it settles with the order's reservation, unless that takes too long. */
  async keep(place: () => Promise<Placing>): Promise<Placing> {
    const untilMs = this.#needs.clock.monotonicMs() + LONGEST_MS;
    const isRush = this.#hasToWait();
    if (isRush) await this.#turn();
    else this.#atTheDesk++;
    const placing = await this.#placed(place);
    if (isRush && placing.outcome === "accepted") await this.#reserved(placing.orderId, untilMs);
    return placing;
  }

  /** The door is about to close: nobody waits any longer. */
  letAllIn(): void {
    for (const goIn of this.#line) goIn();
    for (const answer of this.#unanswered.values()) answer();
  }

  /** Settles at the desk. */
  #turn(): Promise<void> {
    return new Promise((resolve) => {
      const goIn = (): void => {
        patience.cancel();
        this.#line.delete(goIn);
        this.#atTheDesk++;
        resolve();
      };
      const patience = this.#needs.clock.after(LONGEST_MS, goIn);
      this.#line.add(goIn);
    });
  }

  async #placed(place: () => Promise<Placing>): Promise<Placing> {
    try {
      const placing = await place();
      if (placing.outcome === "accepted") this.#onTheWay.set(placing.orderId, this.#needs.clock.monotonicMs());
      return placing;
    } finally {
      this.#atTheDesk--;
      this.#letIn();
    }
  }

  #reserved(orderId: string, untilMs: number): Promise<void> {
    const { clock } = this.#needs;
    if (!this.#onTheWay.has(orderId)) return Promise.resolve();
    return new Promise((resolve) => {
      const answer = (): void => {
        patience.cancel();
        this.#unanswered.delete(orderId);
        resolve();
      };
      const patience = clock.after(Math.max(0, untilMs - clock.monotonicMs()), answer);
      this.#unanswered.set(orderId, answer);
    });
  }

  #leave(orderId: string): void {
    this.#onTheWay.delete(orderId);
    this.#unanswered.get(orderId)?.();
  }

  #hasToWait(): boolean {
    if (this.#line.size === 0 && this.#atTheDesk + this.#onTheWay.size < this.#window) return false;
    return this.#line.size < MOST_IN_LINE;
  }

  #letIn(): void {
    let room = this.#window - this.#atTheDesk - this.#onTheWay.size;
    for (const goIn of this.#line) if (room-- >= 1) goIn();
    if (this.#onTheWay.size === 0 || this.#isLooking || this.#timer !== undefined) return;
    this.#timer = this.#needs.clock.after(this.#lookMs, () => {
      this.#timer = undefined;
      void this.#look();
    });
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    try {
      const eldest = [...this.#onTheWay.keys()].slice(0, MOST_LOOKED_AT);
      const pending = new Set(await this.#needs.pendingOf(eldest));
      this.#arrived(eldest.filter((orderId) => !pending.has(orderId)));
      this.#lookMs = LOOK_MS;
    } catch (error) {
      this.#lookMs = LOOK_AGAIN_MS;
      this.#needs.onError(error);
    } finally {
      this.#isLooking = false;
      this.#forget();
      this.#letIn();
    }
  }

  #arrived(orderIds: readonly string[]): void {
    const now = this.#needs.clock.monotonicMs();
    for (const orderId of orderIds) {
      const tookMs = now - this.#onTheWay.get(orderId)!;
      this.#leave(orderId);
      if (tookMs > GOAL_MS) this.#shrink(now, tookMs);
      else if (this.#line.size > 0) this.#window = Math.min(WINDOW.most, this.#window + 1 / this.#window);
    }
  }

  /** Once for all that were on their way together. */
  #shrink(now: number, tookMs: number): void {
    if (now <= this.#shrinksAfterMs) return;
    this.#window = Math.max(WINDOW.least, this.#window * WINDOW.shrinksTo);
    this.#shrinksAfterMs = now + tookMs;
  }

  #forget(): void {
    const before = this.#needs.clock.monotonicMs() - FORGOTTEN_AFTER_MS;
    for (const [orderId, since] of this.#onTheWay) {
      if (since > before) return;
      this.#leave(orderId);
    }
  }
}
