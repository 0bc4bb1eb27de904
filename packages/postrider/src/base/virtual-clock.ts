import { sleepOn } from "./clock.ts";
import type { Clock, Timer } from "./clock.ts";

interface Waiting {
  readonly dueAt: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * A clock that stands still until it is told to move: for tests and the simulator.
 *
 * Timers fire in order of their due time, then of their making. Between two timers everything that is ready gets its turn.
 */
export class VirtualClock implements Clock {
  #nowMs: number;
  #order = 0;
  readonly #waiting = new Set<Waiting>();

  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const entry: Waiting = { dueAt: this.#nowMs + Math.max(0, delayMs), order: this.#order++, callback };
    this.#waiting.add(entry);
    return { cancel: () => void this.#waiting.delete(entry) };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal);
  }

  yield(): Promise<void> {
    return new Promise((resolve) => void setImmediate(resolve));
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#waiting.size;
  }

  /** When the next timer is due, in milliseconds since the epoch. */
  get nextAt(): number | undefined {
    return this.#next()?.dueAt;
  }

  /** Moves on by `ms`, firing what becomes due on the way, each at its own time. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      await this.yield();
      const next = this.#next();
      if (next === undefined || next.dueAt > endMs) break;
      this.#waiting.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueAt);
      next.callback();
    }
    this.#nowMs = endMs;
    await this.yield();
  }

  #next(): Waiting | undefined {
    let first: Waiting | undefined;
    for (const entry of this.#waiting) {
      if (first === undefined || entry.dueAt < first.dueAt || (entry.dueAt === first.dueAt && entry.order < first.order)) first = entry;
    }
    return first;
  }
}
