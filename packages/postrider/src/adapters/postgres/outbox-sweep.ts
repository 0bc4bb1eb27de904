import type { Clock } from "../../base/clock.ts";
import type { OutboxDesk } from "./outbox-desk.ts";
import type { OutboxRows } from "./outbox-rows.ts";

/** What a sweep stands on. */
export interface OutboxSweepOptions {
  readonly rows: OutboxRows;
  readonly clock: Clock;
  /** The slot of who carries the rows away. */
  readonly slot: string;
}

const SWEEP_EVERY_MS = 500;
const SWEEP_ROWS = 5000;

/**
 * Removes the rows that somebody else's connector has carried away: those that were visible before a position of the log that its slot has confirmed.
 *
 * Nothing is removed while there is no such slot.
 */
export class OutboxSweep {
  readonly #options: OutboxSweepOptions;
  #sweptMs = -Infinity;
  #mark: { readonly visibleTo: number; readonly position: bigint } | undefined;

  constructor(options: OutboxSweepOptions) {
    this.#options = options;
  }

  /** Looks now and then, while this process leads. */
  async sweep(desk: OutboxDesk): Promise<void> {
    const { rows, clock, slot } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#sweptMs + SWEEP_EVERY_MS) return;
    this.#sweptMs = nowMs;
    await desk.look(() => true, 1);
    const { visibleTo } = desk.floor;
    const confirmed = await rows.confirmed(slot);
    if (confirmed === undefined) return;
    this.#mark ??= { visibleTo, position: await rows.position() };
    if (confirmed < this.#mark.position) return;
    const removed = await rows.removeTo(this.#mark.visibleTo, SWEEP_ROWS);
    if (removed < SWEEP_ROWS) this.#mark = undefined; // all of them are gone: the next mark
  }
}
