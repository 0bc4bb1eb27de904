import type { OutboxRow } from "../../ports/outbox.ts";

/** A row as the table or the write-ahead log gave it, before somebody claims it. */
export type UnclaimedRow = Omit<OutboxRow, "fence">;

interface Claim {
  readonly fence: number;
  readonly untilMs: number;
  readonly row: UnclaimedRow;
}

/**
 * Which rows of one kind are handed out: in memory, because only the process that leads the outbox hands out any.
 *
 * A claim ends when its row is settled, or at its time. Words of a claim that has ended mean nothing.
 */
export class OutboxClaims {
  readonly #claims = new Map<number, Claim>();
  #fence = 0;

  /** Hands rows out until `untilMs`, by the monotonic clock. */
  hand(rows: readonly UnclaimedRow[], untilMs: number): readonly OutboxRow[] {
    const fence = ++this.#fence;
    return rows.map((row) => {
      this.#claims.set(row.sequence, { fence, untilMs, row });
      return { ...row, fence };
    });
  }

  /** Those of the rows that their claim still holds. */
  held(rows: readonly OutboxRow[], nowMs: number): readonly OutboxRow[] {
    return rows.filter(({ sequence, fence }) => {
      const claim = this.#claims.get(sequence);
      return claim !== undefined && claim.fence === fence && claim.untilMs > nowMs;
    });
  }

  end(rows: readonly OutboxRow[]): void {
    for (const { sequence } of rows) this.#claims.delete(sequence);
  }

  clear(): void {
    this.#claims.clear();
  }

  has(sequence: number): boolean {
    return this.#claims.has(sequence);
  }

  get size(): number {
    return this.#claims.size;
  }

  /** Ends the claims whose time is over; tells whether there were any. */
  expire(nowMs: number): boolean {
    const before = this.#claims.size;
    for (const [sequence, { untilMs }] of this.#claims) if (untilMs <= nowMs) this.#claims.delete(sequence);
    return this.#claims.size < before;
  }

  get handedOut(): readonly UnclaimedRow[] {
    return [...this.#claims.values()].map(({ row }) => row);
  }
}
