import type { Clock } from "../../base/clock.ts";
import type { OutboxRows } from "./outbox-rows.ts";

/** What a removal stands on. */
export interface OutboxRemovalOptions {
  readonly isEvent: boolean;
  readonly rows: OutboxRows;
  readonly clock: Clock;
  /** Rows are not tried any more: should they be there still, they are found again. */
  readonly onGivenUp: () => void;
}

// More than this do not wait: whoever has more to remove waits for them.
const MAX_LEFT = 2000;
const MAX_ROWS = 5000;
// A row that nobody could remove for so long was removed by somebody else.
const GIVE_UP_MS = 60_000;

/**
 * Removes rows that the broker has confirmed, while the next ones are being sent.
 *
 * One statement at a time, which takes all that wait: should the process end, what comes again is all that followed some row, in order. A row may have been sent before its
 * transaction was visible: it is tried again.
 */
export class OutboxRemoval {
  readonly #options: OutboxRemovalOptions;
  readonly #left = new Map<number, number>();
  #running: Promise<void> | undefined;

  constructor(options: OutboxRemovalOptions) {
    this.#options = options;
  }

  has(sequence: number): boolean {
    return this.#left.has(sequence);
  }

  /** Rows that are in the table still. */
  get left(): readonly number[] {
    return [...this.#left.keys()];
  }

  /** Resolves at once, or when few enough wait. @throws PR_STORE_FAILED when they cannot be removed */
  async remove(sequences: readonly number[]): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    for (const sequence of sequences) this.#left.set(sequence, nowMs);
    const removing = this.flush();
    if (this.#left.size > MAX_LEFT) await removing;
    else removing.catch(() => undefined); // they stay, and the next one tries again
  }

  /** Tries to remove all that wait. @throws PR_STORE_FAILED */
  async flush(): Promise<void> {
    await this.#running?.catch(() => undefined);
    this.#running ??= this.#run().finally(() => void (this.#running = undefined));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { rows, isEvent, clock, onGivenUp } = this.#options;
    if (this.#left.size === 0) return;
    const sequences = this.left.slice(0, MAX_ROWS);
    const removed = (await rows.remove(isEvent, sequences)) ?? sequences;
    for (const sequence of removed) this.#left.delete(sequence);
    if (removed.length === sequences.length) return;
    const oldMs = clock.monotonicMs() - GIVE_UP_MS;
    const before = this.#left.size;
    for (const [sequence, sinceMs] of this.#left) if (sinceMs < oldMs) this.#left.delete(sequence);
    if (this.#left.size < before) onGivenUp();
  }
}
