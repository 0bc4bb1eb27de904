import { kindOfDestination } from "../../envelope/outgoing.ts";
import type { OutboxClaim, OutboxReader, OutboxRow, OutboxWriter } from "../../ports/outbox.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import type { StoreAccess } from "./access.ts";
import type { MemoryTables, OutboxStored } from "./tables.ts";
import type { MemoryUnit } from "./transactions.ts";

/** The outbox within a transaction. */
export class MemoryOutboxWriter implements OutboxWriter {
  readonly #unit: MemoryUnit;
  readonly #tables: MemoryTables;

  constructor(unit: MemoryUnit, tables: MemoryTables) {
    this.#unit = unit;
    this.#tables = tables;
  }

  append(messages: readonly Outgoing[]): void {
    for (const message of messages) {
      const sequence = this.#tables.nextSequence();
      this.#tables.outbox.put(this.#unit, sequence, { sequence, message, attempts: 0, fence: 0, blockedUntil: 0 });
    }
  }
}

/** The outbox outside transactions. A key's rows are claimed in their order: never one while an earlier one is out or waits. */
export function memoryOutboxReader(access: StoreAccess): OutboxReader {
  return {
    claim: (options) => access.run((unit, tables) => claim(unit, tables, access.clock.now(), options)),
    done: (rows) => access.run((unit, tables) => ours(unit, tables, rows).forEach((row) => void tables.outbox.remove(unit, row.sequence))),
    giveBack: (rows, retryAt) =>
      access.run((unit, tables) => {
        for (const row of ours(unit, tables, rows)) {
          tables.outbox.put(unit, row.sequence, { ...row, fence: 0, attempts: row.attempts + 1, blockedUntil: retryAt });
        }
      }),
    bury: (row, letter) =>
      access.run((unit, tables) => {
        if (ours(unit, tables, [row]).length === 0) return false;
        tables.deadLetters.put(unit, letter.id, letter);
        return tables.outbox.remove(unit, row.sequence);
      }),
    depth: () => access.direct((tables) => tables.outbox.size),
    onAppended(listener) {
      const own = (): void => listener(); // a wrapper of its own: the same listener may come twice
      const { onOutbox } = access.tables;
      onOutbox.add(own);
      return () => void onOutbox.delete(own);
    },
  };
}

function claim(unit: MemoryUnit, tables: MemoryTables, nowMs: number, { kind, limit, leaseMs }: OutboxClaim): OutboxRow[] {
  return free(unit, tables, nowMs, kind, limit).map((row) => {
    const fence = tables.nextSequence();
    tables.outbox.put(unit, row.sequence, { ...row, fence, blockedUntil: nowMs + leaseMs });
    return { sequence: row.sequence, fence, attempts: row.attempts, message: row.message };
  });
}

function free(unit: MemoryUnit, tables: MemoryTables, nowMs: number, kind: OutboxClaim["kind"], limit: number): OutboxStored[] {
  const found: OutboxStored[] = [];
  const blocked = new Set<string>();
  for (const row of tables.outbox.rowsIn(unit)) {
    if (found.length === limit) break;
    if (kindOfDestination(row.message.destination) !== kind) continue;
    const key = keyOf(row.message);
    if (row.blockedUntil <= nowMs && (key === undefined || !blocked.has(key))) found.push(row);
    else if (key !== undefined) blocked.add(key);
  }
  return found;
}

/** The rows as they stand, without those whose lease was lost. */
function ours(unit: MemoryUnit, tables: MemoryTables, rows: readonly OutboxRow[]): OutboxStored[] {
  return rows.flatMap(({ sequence, fence }) => {
    const row = tables.outbox.getIn(unit, sequence);
    return row !== undefined && row.fence === fence ? [row] : [];
  });
}

function keyOf({ destination, envelope }: Outgoing): string | undefined {
  return envelope.partitionkey === undefined ? undefined : `${destination}\u0000${envelope.partitionkey}`;
}
