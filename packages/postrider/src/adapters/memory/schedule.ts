import type { ScheduledMessage, ScheduleReader, ScheduleWriter } from "../../ports/schedule.ts";
import type { StoreAccess } from "./access.ts";
import { pageOf } from "./page.ts";
import type { MemoryTables, ScheduleRow } from "./tables.ts";
import type { MemoryUnit } from "./transactions.ts";

/** The schedule within a transaction. */
export class MemoryScheduleWriter implements ScheduleWriter {
  readonly #unit: MemoryUnit;
  readonly #tables: MemoryTables;
  readonly #nowMs: number;

  constructor(unit: MemoryUnit, tables: MemoryTables, nowMs: number) {
    this.#unit = unit;
    this.#tables = tables;
    this.#nowMs = nowMs;
  }

  put(entry: ScheduledMessage): void {
    this.#tables.schedule.put(this.#unit, entry.id, { sequence: this.#tables.nextSequence(), entry });
  }

  get(id: string): ScheduledMessage | undefined {
    return this.#tables.schedule.getIn(this.#unit, id)?.entry;
  }

  cancel(id: string): boolean {
    return this.#tables.schedule.remove(this.#unit, id);
  }

  reschedule(id: string, dueAt: number): boolean {
    const row = this.#tables.schedule.getIn(this.#unit, id);
    if (row === undefined) return false;
    this.#tables.schedule.put(this.#unit, id, { ...row, entry: { ...row.entry, dueAt } });
    return true;
  }

  takeDue(limit: number): readonly ScheduledMessage[] {
    const due: ScheduleRow[] = [];
    for (const row of this.#tables.schedule.rowsIn(this.#unit)) if (row.entry.dueAt <= this.#nowMs) due.push(row);
    const taken = due.sort((left, right) => left.entry.dueAt - right.entry.dueAt || left.sequence - right.sequence).slice(0, limit);
    for (const { entry } of taken) this.#tables.schedule.remove(this.#unit, entry.id);
    return taken.map(({ entry }) => entry);
  }
}

/** The schedule outside transactions. */
export function memoryScheduleReader(access: StoreAccess): ScheduleReader {
  return {
    nextDueAt() {
      let next: number | undefined;
      for (const { entry } of access.tables.schedule.rows()) if (next === undefined || entry.dueAt < next) next = entry.dueAt;
      return next;
    },
    list: (page) =>
      access.direct((tables) =>
        pageOf(
          [...tables.schedule.rows()].map(({ entry }) => entry),
          page,
        ),
      ),
  };
}
