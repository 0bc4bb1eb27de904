import type { ContractKind } from "../../contracts/contract.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import type { UnclaimedRow } from "./outbox-claims.ts";

/** A row that came by the write-ahead log and waits. */
export interface QueuedRow {
  readonly row: UnclaimedRow;
  readonly isEvent: boolean;
  /** Its transaction, in 32 bits. */
  readonly xid: number;
  /** Where its transaction ends in the log. */
  readonly end: bigint;
}

/**
 * What came by the write-ahead log: rows that wait, in the order of their commits, and how far the log may be forgotten.
 *
 * A row is *waiting* until it is taken, and *open* until it is settled.
 */
export class OutboxQueue {
  readonly #waiting: { command: QueuedRow[]; event: QueuedRow[] } = { command: [], event: [] };
  readonly #open = new Map<number, bigint>();
  #seen = 0n;

  /** Rows that wait. */
  get size(): number {
    return this.#waiting.command.length + this.#waiting.event.length;
  }

  get waiting(): readonly QueuedRow[] {
    return [...this.#waiting.command, ...this.#waiting.event];
  }

  /** Those that wait and whose transactions end up to here. */
  waitingTo(end: bigint): readonly QueuedRow[] {
    const found: QueuedRow[] = [];
    for (const rows of [this.#waiting.command, this.#waiting.event])
      for (const queued of rows) {
        if (queued.end > end) break; // they stand in the order of their commits
        found.push(queued);
      }
    return found;
  }

  has(sequence: number): boolean {
    return this.#open.has(sequence);
  }

  push(rows: readonly QueuedRow[], end: bigint): void {
    for (const queued of rows) {
      this.#waiting[queued.isEvent ? "event" : "command"].push(queued);
      this.#open.set(queued.row.sequence, queued.end);
    }
    this.saw(end);
  }

  /** The log was read up to here. */
  saw(end: bigint): void {
    if (end > this.#seen) this.#seen = end;
  }

  get seen(): bigint {
    return this.#seen;
  }

  /** Takes the oldest rows of a kind, as many as `limit`, but for those of blocked keys. */
  take(kind: ContractKind, limit: number, isBlocked: (key: string) => boolean): readonly UnclaimedRow[] {
    const waiting = this.#waiting[kind];
    const taken: UnclaimedRow[] = [];
    const left: QueuedRow[] = [];
    let at = 0;
    for (; at < waiting.length && taken.length < limit; at++) {
      const queued = waiting[at]!;
      if (isBlocked(queued.row.key)) left.push(queued);
      else taken.push(queued.row);
    }
    this.#waiting[kind] = [...left, ...waiting.slice(at)];
    return taken;
  }

  /** Leaves out rows that wait no more. */
  drop(isOver: (queued: QueuedRow) => boolean): void {
    for (const kind of ["command", "event"] as const)
      this.#waiting[kind] = this.#waiting[kind].filter((queued) => {
        if (!isOver(queued)) return true;
        this.#open.delete(queued.row.sequence);
        return false;
      });
  }

  settle(sequences: readonly number[]): void {
    for (const sequence of sequences) this.#open.delete(sequence);
  }

  clear(): void {
    this.#waiting.command = [];
    this.#waiting.event = [];
    this.#open.clear();
  }

  /** All before this is settled. */
  get settledTo(): bigint {
    // Ends never shrink along the map: rows were set in the order of their commits. The transaction of the oldest open row is not over, so what ends before it is.
    const [oldest] = this.#open.values();
    return oldest === undefined ? this.#seen : oldest - 1n;
  }
}

/** Rows of one of these leave in their order. */
export function keyOf({ destination, envelope }: Outgoing): string {
  return `${destination}\u0000${envelope.partitionkey ?? envelope.id}`;
}
