import type { OutboxRow } from "../../ports/outbox.ts";

/** A row as the table or the write-ahead log gave it, before somebody claims it. */
export interface UnclaimedRow extends Omit<OutboxRow, "fence"> {
  /** Rows of one key leave in their order. Made once, because it is asked for several times. */
  readonly key: string;
}

interface Claim {
  readonly fence: number;
  readonly key: string;
}

/** Rows that were handed out together. */
interface Hand {
  readonly untilMs: number;
  left: number;
}

/**
 * Which rows of one kind are handed out: in memory, because only the process that leads the outbox hands out any.
 *
 * A claim ends when its row is settled, or at its time. Words of a claim that has ended mean nothing.
 */
export class OutboxClaims {
  readonly #claims = new Map<number, Claim>();
  readonly #hands = new Map<number, Hand>();
  /** How many rows of a key are out. */
  readonly #keys = new Map<string, number>();
  #fence = 0;

  /** Hands rows out until `untilMs`, by the monotonic clock. */
  hand(rows: readonly UnclaimedRow[], untilMs: number): readonly OutboxRow[] {
    if (rows.length === 0) return [];
    const fence = ++this.#fence;
    this.#hands.set(fence, { untilMs, left: rows.length });
    return rows.map(({ sequence, attempts, message, key }) => {
      this.#end(sequence);
      this.#claims.set(sequence, { fence, key });
      this.#keys.set(key, (this.#keys.get(key) ?? 0) + 1);
      return { sequence, fence, attempts, message };
    });
  }

  /** Those of the rows that their claim still holds. */
  held(rows: readonly OutboxRow[], nowMs: number): readonly OutboxRow[] {
    return rows.filter(({ sequence, fence }) => this.#claims.get(sequence)?.fence === fence && this.#hands.get(fence)!.untilMs > nowMs);
  }

  end(rows: readonly OutboxRow[]): void {
    for (const { sequence } of rows) this.#end(sequence);
  }

  has(sequence: number): boolean {
    return this.#claims.has(sequence);
  }

  /** Whether a row of this key is out. */
  hasKey(key: string): boolean {
    return this.#keys.has(key);
  }

  get size(): number {
    return this.#claims.size;
  }

  /** The numbers of the rows that are out. */
  get sequences(): Iterable<number> {
    return this.#claims.keys();
  }

  /** Ends the claims whose time is over; tells whether there were any. */
  expire(nowMs: number): boolean {
    const over = new Set<number>();
    for (const [fence, { untilMs }] of this.#hands) if (untilMs <= nowMs) over.add(fence);
    if (over.size === 0) return false;
    for (const [sequence, { fence }] of this.#claims) if (over.has(fence)) this.#end(sequence);
    return true;
  }

  #end(sequence: number): void {
    const claim = this.#claims.get(sequence);
    if (claim === undefined) return;
    this.#claims.delete(sequence);
    const hand = this.#hands.get(claim.fence)!;
    if (--hand.left === 0) this.#hands.delete(claim.fence);
    const ofKey = this.#keys.get(claim.key)! - 1;
    if (ofKey === 0) this.#keys.delete(claim.key);
    else this.#keys.set(claim.key, ofKey);
  }
}
