import type { DeadLetter, DeadLetterFilter, DeadLetterGroup, DeadLetterReader, DeadLetterWriter } from "../../ports/dead-letters.ts";
import type { StoreAccess } from "./access.ts";
import { pageOf } from "./page.ts";
import type { MemoryTables } from "./tables.ts";
import type { MemoryUnit } from "./transactions.ts";

/** Dead letters within a transaction. */
export class MemoryDeadLetterWriter implements DeadLetterWriter {
  readonly #unit: MemoryUnit;
  readonly #tables: MemoryTables;

  constructor(unit: MemoryUnit, tables: MemoryTables) {
    this.#unit = unit;
    this.#tables = tables;
  }

  add(letter: DeadLetter): void {
    this.#tables.deadLetters.put(this.#unit, letter.id, letter);
  }

  get(id: string): DeadLetter | undefined {
    return this.#tables.deadLetters.getIn(this.#unit, id);
  }

  remove(id: string): boolean {
    return this.#tables.deadLetters.remove(this.#unit, id);
  }
}

/** Dead letters outside transactions. */
export function memoryDeadLetterReader(access: StoreAccess): DeadLetterReader {
  return {
    list: (filter, page) => access.direct((tables) => pageOf(found(tables, filter), page)),
    groups: (filter) => access.direct((tables) => groupsOf(found(tables, filter))),
    get: (id) => access.direct((tables) => tables.deadLetters.get(id)),
    count: (filter) => access.direct((tables) => found(tables, filter).length),
  };
}

function found(tables: MemoryTables, filter: DeadLetterFilter): DeadLetter[] {
  const ids = filter.ids === undefined ? undefined : new Set(filter.ids);
  return [...tables.deadLetters.rows()].filter((letter) => fits(letter, filter) && ids?.has(letter.id) !== false);
}

function fits(letter: DeadLetter, filter: DeadLetterFilter): boolean {
  if (filter.list !== undefined && letter.list !== filter.list) return false;
  if (filter.contract !== undefined && letter.contract !== filter.contract) return false;
  if (filter.fingerprint !== undefined && letter.fingerprint !== filter.fingerprint) return false;
  if (filter.key !== undefined && letter.key !== filter.key) return false;
  if (filter.messageId !== undefined && letter.messageId !== filter.messageId) return false;
  return filter.before === undefined || letter.at < filter.before;
}

/** Groups by cause, most letters first; what they share is told as the newest letter has it. */
function groupsOf(letters: readonly DeadLetter[]): DeadLetterGroup[] {
  const groups = new Map<string, DeadLetterGroup>();
  for (const { fingerprint, service, contract, code, reason, at } of letters) {
    const known = groups.get(fingerprint);
    const isNewest = known === undefined || at >= known.lastAt;
    const shared = isNewest ? { fingerprint, service, contract, code, reason } : known;
    const times = { firstAt: Math.min(known?.firstAt ?? at, at), lastAt: Math.max(known?.lastAt ?? at, at) };
    groups.set(fingerprint, { ...shared, ...times, count: (known?.count ?? 0) + 1 });
  }
  return [...groups.values()].sort((left, right) => right.count - left.count || right.lastAt - left.lastAt);
}
