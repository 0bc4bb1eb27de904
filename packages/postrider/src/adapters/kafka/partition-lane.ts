import { Fifo } from "../../base/fifo.ts";
import type { Lane } from "../../ports/transport.ts";
import { Slots } from "./slots.ts";
import type { Slot } from "./slots.ts";
import type { RawRecord } from "./batch-reader.ts";

/** Where a lane starts. */
export interface LaneStart {
  readonly offset: number;
  /** What an earlier owner has finished beyond it. */
  readonly isFinished: (offset: number) => boolean;
}

// As long as a fetch brings more than this, the next one may wait until it is nearly handed over.
const WANTS_MORE_BELOW_BYTES = 256 * 1024;
// So many may be finished behind one that is not: then the lane waits for it.
const MAX_SPAN = 1_000_000;

/**
 * A partition that is ours: what was fetched, what was handed over, what is finished.
 *
 * States: *starting* (its sink is getting ready), *flowing*, *leaving* (nothing more is handed over, what is out may end), *gone* (settling does nothing).
 */
export class PartitionLane<Returned extends { readonly slot: Slot; readonly bytes: number }> {
  readonly lane: Lane;
  readonly slots: Slots;
  state: "starting" | "flowing" | "leaving" | "gone" = "starting";
  isPaused = false;
  /** What was given back, by offset. */
  readonly returned: Returned[] = [];
  /** Resolves once its sink has said yes or no. */
  starting: Promise<boolean> = Promise.resolve(false);
  /** Deliveries that are out. */
  outCount = 0;
  outBytes = 0;
  /** The end of the partition as the last fetch told it. */
  end = 0;
  readonly #isFinished: (offset: number) => boolean;
  #committed: number;
  #committedMetadata = "";
  #fetchedTo: number;
  #records = new Fifo<RawRecord>();
  #bufferedBytes = 0;

  constructor(lane: Lane, start: LaneStart) {
    this.lane = lane;
    this.slots = new Slots(start.offset);
    this.#committed = start.offset;
    this.#fetchedTo = start.offset;
    this.#isFinished = start.isFinished;
  }

  /** The prefix as the broker has it. */
  get committed(): number {
    return this.#committed;
  }

  /** The offset to fetch from. */
  get fetchedTo(): number {
    return this.#fetchedTo;
  }

  get isFlowing(): boolean {
    return this.state === "flowing" && !this.isPaused && this.slots.length < MAX_SPAN;
  }

  /** Fetched and not handed over. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** Whether it wants more than it has, or than so many bytes ahead. */
  wantsMore(aheadBytes: number): boolean {
    const isReading = (this.state === "starting" || this.state === "flowing") && !this.isPaused;
    return isReading && this.#bufferedBytes < Math.max(aheadBytes, WANTS_MORE_BELOW_BYTES);
  }

  /** Messages that are there and not finished. */
  get backlog(): number {
    return Math.max(0, this.end - this.slots.next) + this.slots.undone;
  }

  /** When the oldest message that is not finished was written; undefined where there is none, or it is not fetched yet. */
  get oldestMs(): number | undefined {
    return (this.slots.oldest ?? this.#records.at(0))?.timestampMs;
  }

  /** Whether what is finished beyond the prefix has changed since the last commit. */
  metadataDiffers(): boolean {
    return this.slots.undone < this.slots.length && this.slots.metadata() !== this.#committedMetadata;
  }

  committedTo(prefix: number, metadata: string): void {
    this.#committed = Math.max(this.#committed, prefix);
    this.#committedMetadata = metadata;
  }

  /** Takes in what a fetch brought, up to `next`. */
  fetched(records: readonly RawRecord[], next: number, end: number): void {
    for (const record of records) {
      if (record.offset < this.#fetchedTo || this.#isFinished(record.offset)) continue;
      this.#records.push(record);
      this.#bufferedBytes += record.bytes;
    }
    if (next > this.#fetchedTo) this.#fetchedTo = next;
    if (end > this.end) this.end = end;
    this.#passOver();
  }

  /** The broker has deleted what comes next: goes on from where there is something. */
  jump(offset: number): void {
    this.#fetchedTo = offset;
    this.#passOver();
  }

  /** The next record to hand over. */
  peek(): RawRecord | undefined {
    return this.#records.at(0);
  }

  shift(): void {
    this.#bufferedBytes -= this.#records.shift()?.bytes ?? 0;
  }

  /** The record at the front is not for this subscription. */
  skip(record: RawRecord): void {
    this.shift();
    this.slots.pass(record.offset + 1);
    this.#passOver();
  }

  takeBack(delivery: Returned): void {
    const { returned } = this;
    let at = returned.length;
    while (at > 0 && returned[at - 1]!.slot.offset > delivery.slot.offset) at--;
    returned.splice(at, 0, delivery);
  }

  /** Forgets what was not handed over. */
  drop(): void {
    this.#records = new Fifo();
    this.#bufferedBytes = 0;
    this.returned.length = 0;
  }

  /** With an empty buffer everything up to the fetched offset is passed: markers of transactions and what was aborted have no record. */
  #passOver(): void {
    if (this.#records.length === 0) this.slots.pass(this.#fetchedTo);
  }
}
