import type { Clock, Timer } from "../base/clock.ts";
import { Fifo } from "../base/fifo.ts";
import type { OutageChange, OutageMode } from "./outage.ts";

/** What a dispatcher starts. */
export interface Startable {
  readonly isHigh: boolean;
  /** Runs it; never rejects. */
  start(): void;
}

/** How many run at a time, and how fast they start. */
export interface DispatcherOptions {
  readonly clock: Clock;
  readonly concurrency: number;
  /** Starts per second; 0 = no limit. */
  readonly ratePerSecond: number;
  readonly outage: OutageMode;
  readonly onOutage: (change: "began" | "over") => void;
  /** Whether nothing may start for now; once it may, `pump` is called. */
  readonly isHeld?: () => boolean;
}

/**
 * Starts ready messages of one service: high priority first, else in order; so many at a time, so many per second; one at a time while there is an outage.
 */
export class Dispatcher<Item extends Startable> {
  readonly #options: DispatcherOptions;
  readonly #high = new Fifo<Item>();
  readonly #normal = new Fifo<Item>();
  #running = 0;
  #isStopped = false;
  #isPumping = false;
  #isProbing = false;
  #probeTimer: Timer | undefined;
  #rateTimer: Timer | undefined;
  #tokens: number;
  #tokensAt: number;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#tokens = options.ratePerSecond;
    this.#tokensAt = options.clock.monotonicMs();
  }

  get running(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#high.length + this.#normal.length;
  }

  get isOut(): boolean {
    return this.#options.outage.isOut;
  }

  add(item: Item): void {
    (item.isHigh ? this.#high : this.#normal).push(item);
    this.pump();
  }

  /** Puts an item back at the front: it was started, and did not run. */
  addFirst(item: Item): void {
    (item.isHigh ? this.#high : this.#normal).unshift(item);
  }

  /** A started item no longer needs its place. */
  release(): void {
    this.#running--;
    this.pump();
  }

  /** Reports the end of a run, so that an outage is noticed. */
  report(failureCause: string | undefined, isProbe: boolean): void {
    const { outage } = this.#options;
    const change: OutageChange = failureCause === undefined ? outage.succeeded() : outage.failed(failureCause, isProbe);
    if (change === "began" || change === "over") this.#options.onOutage(change);
    if (change === "began" || change === "continues") this.#probeLater();
    if (change === "over") {
      this.#probeTimer?.cancel();
      this.#probeTimer = undefined;
      this.pump();
    }
  }

  /** The probe of an outage has ended, however it went: while there is an outage, another one follows. */
  probeEnded(): void {
    this.#isProbing = false;
    if (this.#options.outage.isOut) this.#probeLater();
  }

  /** Starts nothing more, and returns what had not started. */
  stop(): Item[] {
    this.#isStopped = true;
    this.#probeTimer?.cancel();
    this.#rateTimer?.cancel();
    return this.evict(() => true);
  }

  /** Takes out what has not started and fits. */
  evict(fits: (item: Item) => boolean): Item[] {
    return [...this.#high.evict(fits), ...this.#normal.evict(fits)];
  }

  pump(): void {
    if (this.#isPumping) return; // an item that ended at once: the loop below goes on with the next
    this.#isPumping = true;
    while (this.#mayStart()) {
      const item = (this.#high.shift() ?? this.#normal.shift())!;
      this.#running++;
      if (this.#options.outage.isOut) this.#isProbing = true;
      item.start();
    }
    this.#isPumping = false;
  }

  #mayStart(): boolean {
    if (this.#isStopped || this.#running >= this.#options.concurrency || this.queued === 0) return false;
    if (this.#options.isHeld?.() === true) return false;
    if (this.#options.outage.isOut && (this.#isProbing || this.#probeTimer !== undefined)) return false;
    return this.#options.ratePerSecond === 0 || this.#takeToken();
  }

  #probeLater(): void {
    if (this.#isStopped || this.#probeTimer !== undefined) return;
    this.#probeTimer = this.#options.clock.after(this.#options.outage.probeAfterMs, () => {
      this.#probeTimer = undefined;
      this.pump();
    });
  }

  #takeToken(): boolean {
    const { clock, ratePerSecond } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#tokens = Math.min(ratePerSecond, this.#tokens + ((nowMs - this.#tokensAt) * ratePerSecond) / 1000);
    this.#tokensAt = nowMs;
    if (this.#tokens >= 1) {
      this.#tokens--;
      return true;
    }
    this.#rateTimer ??= clock.after(Math.ceil(((1 - this.#tokens) * 1000) / ratePerSecond), () => {
      this.#rateTimer = undefined;
      this.pump();
    });
    return false;
  }
}
