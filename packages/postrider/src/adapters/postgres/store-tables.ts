import { DeadLetterTable } from "./store-dead-letters.ts";
import { HeldTable } from "./store-held.ts";
import { InboxTable } from "./store-inbox.ts";
import { OutboxTable } from "./store-outbox.ts";
import type { StorePlace } from "./store-place.ts";
import { ScheduleTable } from "./store-schedule.ts";

/** The tables of one service that are written in transactions. */
export interface StoreTables {
  readonly inbox: InboxTable;
  readonly outbox: OutboxTable;
  readonly schedule: ScheduleTable;
  readonly held: HeldTable;
  readonly deadLetters: DeadLetterTable;
}

/** Makes their statements, once. */
export function storeTables(place: StorePlace): StoreTables {
  return {
    inbox: new InboxTable(place),
    outbox: new OutboxTable(place),
    schedule: new ScheduleTable(place),
    held: new HeldTable(place),
    deadLetters: new DeadLetterTable(place),
  };
}
