/** A message that was handed over, as its lane remembers it: without its body. */
export interface Slot {
  readonly offset: number;
  readonly timestampMs: number;
  isDone: boolean;
}

const COMPACT_AT = 4096;
const MAX_UNFINISHED = 400; // offsets of 8 digits in base 36 or less, and a comma: within the 4096 bytes that brokers allow

/**
 * What of a lane was handed over and is not part of the finished prefix yet, in order.
 *
 * Only the prefix is committed; what is finished beyond it may go into the commit's metadata, so that a successor does not run it again.
 */
export class Slots {
  #slots: (Slot | undefined)[] = [];
  #head = 0;
  #undone = 0;
  /** The offset behind the last message that was handed over, or passed over. */
  #next: number;

  constructor(start: number) {
    this.#next = start;
  }

  /** The offset to commit: everything before it is finished. */
  get prefix(): number {
    return this.#slots[this.#head]?.offset ?? this.#next;
  }

  get next(): number {
    return this.#next;
  }

  /** How many were handed over and are not finished. */
  get undone(): number {
    return this.#undone;
  }

  /** How many are remembered: the undone and what is finished behind them. */
  get length(): number {
    return this.#slots.length - this.#head;
  }

  /** The oldest that is not finished. */
  get oldest(): Slot | undefined {
    return this.#slots[this.#head];
  }

  add(offset: number, timestampMs: number): Slot {
    const slot: Slot = { offset, timestampMs, isDone: false };
    this.#slots.push(slot);
    this.#next = offset + 1;
    this.#undone++;
    return slot;
  }

  /** Nothing before this offset is left to hand over. */
  pass(next: number): void {
    if (next > this.#next) this.#next = next;
  }

  finish(slot: Slot): void {
    if (slot.isDone) return;
    slot.isDone = true;
    this.#undone--;
    while (this.#head < this.#slots.length && this.#slots[this.#head]!.isDone) this.#slots[this.#head++] = undefined;
    if (this.#head > COMPACT_AT && this.#head * 2 > this.#slots.length) {
      this.#slots = this.#slots.slice(this.#head);
      this.#head = 0;
    }
  }

  /** What is finished beyond the prefix, for the commit's metadata; empty where there is none or it would be too long. */
  metadata(): string {
    const { length } = this;
    if (length === 0 || length === this.#undone || this.#undone > MAX_UNFINISHED) return "";
    const unfinished: string[] = [];
    let last = this.prefix;
    for (let at = this.#head; at < this.#slots.length; at++) {
      const slot = this.#slots[at]!;
      if (slot.isDone) continue;
      unfinished.push((slot.offset - last).toString(36));
      last = slot.offset;
    }
    return `${FORM}${(this.#next - this.prefix).toString(36)};${unfinished.join(",")}`;
  }
}

const FORM = "pr1;";

/** Which offsets from the prefix on are finished, by the metadata of a commit; nothing for metadata of others. */
export function finishedOf(metadata: string | null | undefined, prefix: number): (offset: number) => boolean {
  const [form, span, list] = metadata?.split(";") ?? [];
  if (`${form};` !== FORM || span === undefined || list === undefined) return () => false;
  const end = prefix + Number.parseInt(span, 36);
  const unfinished = new Set<number>();
  let last = prefix;
  for (const delta of list.split(",")) unfinished.add((last += Number.parseInt(delta, 36)));
  return (offset) => offset >= prefix && offset < end && !unfinished.has(offset);
}
