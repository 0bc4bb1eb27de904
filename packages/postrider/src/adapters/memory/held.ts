import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { ClaimedHeld, HeldMessage, HeldReader, HeldWriter } from "../../ports/held.ts";
import type { DeadLetter } from "../../ports/dead-letters.ts";
import type { StoreAccess } from "./access.ts";
import { pageOf } from "./page.ts";
import type { HeldRow, MemoryTables } from "./tables.ts";
import type { MemoryUnit } from "./transactions.ts";

/** Held messages within a transaction. */
export class MemoryHeldWriter implements HeldWriter {
  readonly #unit: MemoryUnit;
  readonly #tables: MemoryTables;
  readonly #nowMs: number;

  constructor(unit: MemoryUnit, tables: MemoryTables, nowMs: number) {
    this.#unit = unit;
    this.#tables = tables;
    this.#nowMs = nowMs;
  }

  put(entry: HeldMessage): void {
    this.#tables.held.put(this.#unit, entry.id, { sequence: this.#tables.nextSequence(), entry, fence: 0, leasedUntil: 0 });
  }

  complete(claimed: ClaimedHeld): void {
    this.#ours(claimed);
    this.#tables.held.remove(this.#unit, claimed.id);
  }

  postpone(claimed: ClaimedHeld, change: { readonly dueAt: number; readonly failures: number; readonly firstFailedAt: number }): void {
    const row = this.#ours(claimed);
    this.#tables.held.put(this.#unit, claimed.id, { ...row, entry: { ...row.entry, ...change }, fence: 0, leasedUntil: 0 });
  }

  isBlocked(destination: string, key: string, exceptId?: string): boolean {
    return this.#isBlockedBy(destination, key, exceptId, () => true);
  }

  parkedCount(destination: string, key: string): number {
    let count = 0;
    for (const row of this.#rows(destination, key)) if (isWaiting(row.entry)) count++;
    return count;
  }

  releaseNext(destination: string, key: string): boolean {
    if (this.#isBlockedBy(destination, key, undefined, (entry) => !isWaiting(entry))) return false;
    let oldest: HeldRow | undefined;
    for (const row of this.#rows(destination, key)) {
      if (isWaiting(row.entry) && row.sequence < (oldest?.sequence ?? Infinity)) oldest = row;
    }
    if (oldest === undefined) return false;
    this.#tables.held.put(this.#unit, oldest.entry.id, { ...oldest, entry: { ...oldest.entry, dueAt: this.#nowMs } });
    return true;
  }

  #isBlockedBy(destination: string, key: string, exceptId: string | undefined, counts: (entry: HeldMessage) => boolean): boolean {
    for (const { entry } of this.#rows(destination, key)) {
      if (entry.isOrdered && entry.id !== exceptId && counts(entry)) return true;
    }
    for (const letter of this.#tables.deadLetters.rowsIn(this.#unit)) {
      if (isBlocking(letter) && letter.destination === destination && letter.key === key && letter.id !== exceptId) return true;
    }
    return false;
  }

  *#rows(destination: string, key: string): Generator<HeldRow, void> {
    for (const row of this.#tables.held.rowsIn(this.#unit)) if (row.entry.destination === destination && row.entry.key === key) yield row;
  }

  #ours(claimed: ClaimedHeld): HeldRow {
    this.#unit.assertOpen("held");
    const row = this.#tables.held.getIn(this.#unit, claimed.id);
    if (row === undefined || row.fence !== claimed.fence) throw lost(claimed);
    return row;
  }
}

/** Held messages outside transactions. */
export function memoryHeldReader(access: StoreAccess): HeldReader {
  const entries = (tables: MemoryTables): HeldMessage[] => [...tables.held.rows()].map(({ entry }) => entry);
  return {
    claimDue: (options) => access.run((unit, tables) => claimDue(unit, tables, access.clock.now(), options)),
    giveBack: (claimed) =>
      access.run((unit, tables) => {
        for (const { id, fence } of claimed) {
          const row = tables.held.getIn(unit, id);
          if (row !== undefined && row.fence === fence) tables.held.put(unit, id, { ...row, fence: 0, leasedUntil: 0 });
        }
      }),
    blockedKeys: (destination, lanes) => access.direct((tables) => blockedKeys(tables, destination, lanes)),
    nextDueAt() {
      let next = Infinity;
      for (const row of access.tables.held.rows()) next = Math.min(next, freeAt(row));
      return next === Infinity ? undefined : next;
    },
    list: (page) =>
      access.direct((tables) =>
        pageOf(
          entries(tables).filter(({ purpose }) => page.purpose === undefined || page.purpose === purpose),
          page,
        ),
      ),
    get: (id) => access.direct((tables) => tables.held.get(id)?.entry),
    count: () =>
      access.direct((tables) => {
        const counts = { retry: 0, parked: 0, redrive: 0 };
        for (const { purpose } of entries(tables)) counts[purpose]++;
        return counts;
      }),
  };
}

type ClaimOptions = Parameters<HeldReader["claimDue"]>[0];

function claimDue(unit: MemoryUnit, tables: MemoryTables, nowMs: number, options: ClaimOptions): ClaimedHeld[] {
  const due: HeldRow[] = [];
  for (const row of tables.held.rowsIn(unit)) {
    const { destination, lane } = row.entry;
    if (destination === options.destination && options.lanes?.includes(lane) !== false && freeAt(row) <= nowMs) due.push(row);
  }
  const oldestFirst = due.sort((left, right) => left.entry.dueAt! - right.entry.dueAt! || left.sequence - right.sequence);
  return oldestFirst.slice(0, options.limit).map((row) => {
    const fence = tables.nextSequence();
    tables.held.put(unit, row.entry.id, { ...row, fence, leasedUntil: nowMs + options.leaseMs });
    return { ...row.entry, fence };
  });
}

function blockedKeys(tables: MemoryTables, destination: string, lanes: readonly number[] | undefined): readonly string[] {
  const keys = new Set<string>();
  const note = (of: HeldMessage | DeadLetter): void => {
    if (of.destination === destination && of.key !== undefined && lanes?.includes(of.lane) !== false) keys.add(of.key);
  };
  for (const { entry } of tables.held.rows()) if (entry.isOrdered) note(entry);
  for (const letter of tables.deadLetters.rows()) if (isBlocking(letter)) note(letter);
  return [...keys];
}

/** When a row may be claimed: never while it is parked. */
function freeAt({ entry, leasedUntil }: HeldRow): number {
  return entry.dueAt === undefined ? Infinity : Math.max(entry.dueAt, leasedUntil);
}

/** Whether it is parked and not released yet. */
function isWaiting(entry: HeldMessage): boolean {
  return entry.purpose === "parked" && entry.dueAt === undefined;
}

/** Only what failed holds its key up; what expired or is unhandled stands aside. */
function isBlocking(letter: DeadLetter): boolean {
  return letter.isOrdered && letter.list === "failed";
}

function lost({ id }: ClaimedHeld): PostriderError {
  return fail("PR_LEASE_LOST", { lease: `the held message ${id}` });
}
