import type { RetentionPolicy } from "../../ports/store.ts";
import type { MemoryTable } from "./table.ts";
import type { MemoryTables } from "./tables.ts";
import type { MemoryUnit } from "./transactions.ts";

/** Deletes what is older than the policy keeps, at most `batchRows` rows in all. Returns how many went. */
export function cleanUp(unit: MemoryUnit, tables: MemoryTables, policy: RetentionPolicy, nowMs: number): number {
  let room = policy.batchRows;
  room -= sweep(unit, tables.inbox, room, ({ at }) => at < nowMs - policy.inboxMs);
  room -= sweep(unit, tables.deadLetters, room, ({ list, at }) => isAside(list) && at < nowMs - policy.asideMs);
  room -= sweepMap(tables.effects, room, ({ at }) => at < nowMs - policy.effectsMs);
  room -= sweepMap(tables.progress, room, ({ at }) => at < nowMs - policy.inboxMs);
  return policy.batchRows - room;
}

function isAside(list: string): boolean {
  return list === "expired" || list === "unhandled";
}

function sweep<Key, Row extends object>(
  unit: MemoryUnit,
  table: MemoryTable<Key, Row>,
  room: number,
  isOld: (row: Row) => boolean,
): number {
  let gone = 0;
  for (const [key, row] of table.entries()) {
    if (gone >= room) break;
    if (isOld(row) && table.remove(unit, key)) gone++;
  }
  return gone;
}

function sweepMap<Row>(rows: Map<string, Row>, room: number, isOld: (row: Row) => boolean): number {
  let gone = 0;
  for (const [key, row] of rows) {
    if (gone >= room) break;
    if (isOld(row) && rows.delete(key)) gone++;
  }
  return gone;
}
