import type { MemoryUnit, Participant } from "./transactions.ts";

/**
 * Rows by key. What a transaction changes is seen by that transaction alone until it commits.
 *
 * Rows are never changed, only replaced; a replaced row keeps its place.
 */
export class MemoryTable<Key, Row extends object> implements Participant {
  readonly #rows = new Map<Key, Row>();
  readonly #changes = new Map<Key, Row | undefined>();
  #unit: MemoryUnit | undefined;
  #onCommitted: (() => void) | undefined;

  /** Calls back after each commit that changed something here. */
  onCommitted(listener: () => void): void {
    this.#onCommitted = listener;
  }

  /** How many rows are committed. */
  get size(): number {
    return this.#rows.size;
  }

  /** A committed row. */
  get(key: Key): Row | undefined {
    return this.#rows.get(key);
  }

  /** Committed rows, oldest first. */
  rows(): IterableIterator<Row> {
    return this.#rows.values();
  }

  /** Committed rows with their keys, oldest first. */
  entries(): IterableIterator<[Key, Row]> {
    return this.#rows.entries();
  }

  /** A row as this transaction sees it. */
  getIn(unit: MemoryUnit, key: Key): Row | undefined {
    return this.#unit === unit && this.#changes.has(key) ? this.#changes.get(key) : this.#rows.get(key);
  }

  /** All rows as this transaction sees them, oldest first. */
  *rowsIn(unit: MemoryUnit): Generator<Row, void> {
    if (this.#unit !== unit) return yield* this.#rows.values();
    for (const [key, row] of this.#rows) {
      const current = this.#changes.has(key) ? this.#changes.get(key) : row;
      if (current !== undefined) yield current;
    }
    for (const [key, row] of this.#changes) if (row !== undefined && !this.#rows.has(key)) yield row;
  }

  /** Adds or replaces a row. */
  put(unit: MemoryUnit, key: Key, row: Row): void {
    this.#join(unit);
    this.#changes.set(key, row);
  }

  /** Removes a row; whether it was there. */
  remove(unit: MemoryUnit, key: Key): boolean {
    if (this.getIn(unit, key) === undefined) return false;
    this.#join(unit);
    this.#changes.set(key, undefined);
    return true;
  }

  commit(): void {
    for (const [key, row] of this.#changes) {
      if (row === undefined) this.#rows.delete(key);
      else this.#rows.set(key, row);
    }
    this.rollback();
    this.#onCommitted?.();
  }

  rollback(): void {
    this.#changes.clear();
    this.#unit = undefined;
  }

  #join(unit: MemoryUnit): void {
    if (this.#unit === unit) return unit.assertOpen("a change");
    unit.join(this);
    this.#unit = unit;
  }
}
