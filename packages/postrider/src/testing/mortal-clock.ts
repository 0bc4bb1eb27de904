import { sleepOn } from "../base/clock.ts";
import type { Clock, Timer } from "../base/clock.ts";

/** A clock of one process: its timers die with it. For tests that crash a process inside their own. */
export class MortalClock implements Clock {
  readonly #clock: Clock;
  readonly #timers = new Set<Timer>();
  #isDead = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether its process is dead. */
  get isDead(): boolean {
    return this.#isDead;
  }

  now(): number {
    return this.#clock.now();
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  after(delayMs: number, callback: () => void, options?: { readonly keepAlive?: boolean }): Timer {
    if (this.#isDead) return { cancel: () => undefined };
    const timer = this.#clock.after(
      delayMs,
      () => {
        this.#timers.delete(timer);
        callback();
      },
      options,
    );
    this.#timers.add(timer);
    return {
      cancel: () => {
        this.#timers.delete(timer);
        timer.cancel();
      },
    };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal);
  }

  yield(): Promise<void> {
    return this.#clock.yield();
  }

  /** Takes all timers back, and makes no more. */
  kill(): void {
    this.#isDead = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }
}
