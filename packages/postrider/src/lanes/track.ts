import { PositionMap } from "../base/position-map.ts";

/** What a cursor's row says of one priority: everything up to `position` is finished, but for `open`. */
export interface TrackRow {
  readonly position: number;
  readonly open: readonly number[];
}

const NONE: readonly number[] = [];

/**
 * How far one lane has come in the messages of one priority.
 *
 * What is not finished is `open`; everything else up to `fetchedTo` is finished or not wanted. What is stored is the highest finished position and the open
 * ones below it: nothing while messages finish in order, and never more than are handed over at a time, however long one of them takes.
 */
export class Track<Message> {
  /** Read from the log up to here. */
  fetchedTo: number;
  /** By position: what is handed over or waits in memory; undefined for what an earlier owner left open and is still to be read. */
  readonly open: PositionMap<Message | undefined> = new PositionMap<Message | undefined>();
  /** Open positions that an earlier owner left, still to be read. */
  restored: number[];
  readonly isHigh: boolean;
  #settledTo: number;
  #stored: number;

  constructor(row: TrackRow, isHigh: boolean) {
    this.isHigh = isHigh;
    this.fetchedTo = row.position;
    this.#settledTo = row.position;
    this.#stored = row.position;
    this.restored = [...row.open];
    for (const position of this.restored) this.open.set(position, undefined);
  }

  /** Everything up to here is finished or open. */
  get settledTo(): number {
    return this.open.size === 0 ? Math.max(this.#settledTo, this.fetchedTo) : this.#settledTo;
  }

  /** Everything up to here is finished. */
  get frontier(): number {
    const { oldest } = this.open;
    return oldest === undefined ? this.settledTo : Math.min(oldest - 1, this.settledTo);
  }

  /** Whether rows that nobody wanted were passed since the cursor was written. */
  get isBehind(): boolean {
    return this.open.size === 0 && this.fetchedTo > this.#stored;
  }

  /** Hands over what was read of a chunk of `restored`. False when there is no room for the next one. */
  restore<Found extends { readonly position: number }>(
    chunk: readonly number[],
    found: Iterable<Found>,
    take: (message: Found) => boolean,
  ): boolean {
    for (const message of found) {
      if (!take(message)) return false;
      // What comes before it in the chunk and was not found is not in the log any more.
      for (const gone of this.restored.splice(0, this.restored.indexOf(message.position) + 1))
        if (gone !== message.position) this.open.delete(gone);
    }
    const last = chunk.at(-1)!;
    for (const position of this.restored.filter((open) => open <= last)) this.open.delete(position);
    this.restored = this.restored.filter((open) => open > last);
    return true;
  }

  finish(position: number): void {
    this.open.delete(position);
    if (position > this.#settledTo) this.#settledTo = position;
  }

  /** Takes back a finish that was not written. */
  reopen(position: number, message: Message): void {
    this.open.set(position, message);
  }

  /** What is to be stored now. */
  row(): TrackRow {
    this.#settledTo = this.settledTo;
    this.#stored = this.#settledTo;
    if (this.open.oldest === undefined || this.open.oldest > this.#settledTo) return { position: this.#settledTo, open: NONE };
    const open: number[] = [];
    for (const position of this.open.positions()) {
      if (position > this.#settledTo) break;
      open.push(position);
    }
    return { position: this.#settledTo, open };
  }
}
