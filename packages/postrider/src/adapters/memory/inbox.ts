import type { InboxEntry, InboxReader, InboxVerdict, InboxWriter } from "../../ports/inbox.ts";
import type { StoreAccess } from "./access.ts";
import type { InboxRow, MemoryTables } from "./tables.ts";
import type { MemoryUnit } from "./transactions.ts";

/** The inbox within a transaction. Rivals wait: only one transaction is open at a time. */
export class MemoryInboxWriter implements InboxWriter {
  readonly #unit: MemoryUnit;
  readonly #tables: MemoryTables;
  readonly #nowMs: number;

  constructor(unit: MemoryUnit, tables: MemoryTables, nowMs: number) {
    this.#unit = unit;
    this.#tables = tables;
    this.#nowMs = nowMs;
  }

  record(entry: InboxEntry): InboxVerdict {
    this.#unit.assertOpen("inbox.record");
    const key = keyOf(entry);
    const known = this.#tables.inbox.getIn(this.#unit, key);
    if (known !== undefined) return verdictOf(known, entry);
    this.#tables.inbox.put(this.#unit, key, { bodyHash: entry.bodyHash, at: this.#nowMs });
    return "first";
  }
}

/** The inbox outside transactions. */
export function memoryInboxReader(access: StoreAccess): InboxReader {
  return {
    check: (entry) => verdictOf(access.tables.inbox.get(keyOf(entry)), entry),
    count: () => access.direct((tables) => tables.inbox.size),
  };
}

function keyOf(entry: InboxEntry): string {
  return `${entry.handler}\u0000${entry.messageId}`;
}

function verdictOf(known: InboxRow | undefined, entry: InboxEntry): InboxVerdict {
  if (known === undefined) return "first";
  return known.bodyHash === entry.bodyHash ? "repeated" : "conflicting";
}
