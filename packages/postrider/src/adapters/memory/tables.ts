import type { DeadLetter } from "../../ports/dead-letters.ts";
import type { HeldMessage } from "../../ports/held.ts";
import type { ProgressReport } from "../../ports/progress.ts";
import type { ScheduledMessage } from "../../ports/schedule.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import { MemoryTable } from "./table.ts";

/** A message known as completed. */
export interface InboxRow {
  readonly bodyHash: string;
  readonly at: number;
}

/** An outgoing message that waits for its relay. */
export interface OutboxStored {
  readonly sequence: number;
  readonly message: Outgoing;
  readonly attempts: number;
  /** 0 while nobody has claimed it. */
  readonly fence: number;
  /** Not to be claimed before this: a lease, or a wait before the next attempt. */
  readonly blockedUntil: number;
}

/** A scheduled message, with its place among those of one time. */
export interface ScheduleRow {
  readonly sequence: number;
  readonly entry: ScheduledMessage;
}

/** A held message and its claim. */
export interface HeldRow {
  readonly sequence: number;
  readonly entry: HeldMessage;
  /** 0 while nobody has claimed it. */
  readonly fence: number;
  readonly leasedUntil: number;
}

/** An effect's record; `result` is absent until it is done. */
export interface EffectRow {
  readonly at: number;
  readonly result: string | undefined;
}

/** A lease's record: kept when it is over, so that its fence goes on growing. */
export interface LeaseRow {
  readonly fence: number;
  readonly owner: string;
  readonly until: number;
}

/** All rows of one service. */
export class MemoryTables {
  readonly inbox: MemoryTable<string, InboxRow> = new MemoryTable();
  readonly outbox: MemoryTable<number, OutboxStored> = new MemoryTable();
  readonly schedule: MemoryTable<string, ScheduleRow> = new MemoryTable();
  readonly held: MemoryTable<string, HeldRow> = new MemoryTable();
  readonly deadLetters: MemoryTable<string, DeadLetter> = new MemoryTable();
  // What is only ever written outside transactions needs none.
  readonly taken: Map<string, number> = new Map();
  readonly starts: Map<string, number> = new Map();
  readonly effects: Map<string, EffectRow> = new Map();
  readonly leases: Map<string, LeaseRow> = new Map();
  readonly progress: Map<string, ProgressReport> = new Map();
  readonly onOutbox: Set<() => void> = new Set();
  #sequence = 0;

  constructor() {
    this.outbox.onCommitted(() => {
      for (const listener of this.onOutbox) queueMicrotask(listener);
    });
  }

  /** A number that only grows: for order, and for fences. */
  nextSequence(): number {
    return ++this.#sequence;
  }
}
