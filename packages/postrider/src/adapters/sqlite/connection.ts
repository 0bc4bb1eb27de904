import type * as NodeSqlite from "node:sqlite";
import type { DatabaseSync, DatabaseSyncOptions, SQLInputValue, StatementSync } from "node:sqlite";
import { fail } from "../../base/errors.ts";
import { statementFlaw } from "../../base/user-statement.ts";
import type { SqlValue } from "../../ports/sql.ts";

/** A row as arrays give it, or as objects do. */
export type Column = null | number | bigint | string | Uint8Array;

const MAX_STATEMENTS = 300; // enough for all of ours and a large app's; each holds a few KiB

const CROWDED = 250; // from here on the order of use matters

// Measured with 1 KiB bodies (docs/adr/0010-sqlite-layout.md): 4 KiB pages hold two of our rows and cost half as much again per row.
const PAGE_BYTES = 8192;

const CACHE_KIB = 16_384;

/** A connection with its prepared statements, the least used of which are forgotten. */
export class Connection {
  readonly db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.db = db;
  }

  /** A statement whose rows are objects. */
  prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) {
      // Moved to the end, so that the first is the one that was not used for longest; while none is about to be forgotten that can wait.
      if (this.#statements.size > CROWDED) {
        this.#statements.delete(sql);
        this.#statements.set(sql, known);
      }
      return known;
    }
    const made = this.db.prepare(sql);
    this.#statements.set(sql, made);
    if (this.#statements.size > MAX_STATEMENTS) this.#statements.delete(this.#statements.keys().next().value!);
    return made;
  }

  run(sql: string, ...parameters: readonly SQLInputValue[]): number {
    return Number(this.prepare(sql).run(...parameters).changes);
  }

  get<Row>(sql: string, ...parameters: readonly SQLInputValue[]): Row | undefined {
    return this.prepare(sql).get(...parameters) as Row | undefined;
  }

  all<Row>(sql: string, ...parameters: readonly SQLInputValue[]): Row[] {
    return this.prepare(sql).all(...parameters) as Row[];
  }

  close(): void {
    this.#statements.clear();
    if (this.db.isOpen) this.db.close();
  }
}

/** The one connection that writes. It never waits for a lock: whoever is refused asks again later. */
export function openWriter(file: string): Connection {
  return new Connection(openDatabase(file, { timeout: 0 }));
}

/** Sets a writer up. Apart, because a new file needs its lock for that; may be called again. */
export function setUpWriter({ db }: Connection): void {
  db.exec(`pragma page_size = ${PAGE_BYTES}`); // only a new file takes it
  db.exec("pragma journal_mode = wal");
  db.exec(`pragma synchronous = normal; pragma cache_size = -${CACHE_KIB}; pragma temp_store = memory; pragma wal_autocheckpoint = 0`);
}

/** A connection that sees what is committed, and nothing else. */
export function openReader(file: string): Connection {
  const db = openDatabase(file, { readOnly: true, timeout: 0 });
  db.exec(`pragma cache_size = -${CACHE_KIB / 4}; pragma temp_store = memory`);
  return new Connection(db);
}

/** Not by a static import: an older Node would end there, before anybody could be told why. */
function openDatabase(file: string, options: DatabaseSyncOptions): DatabaseSync {
  const found = process.getBuiltinModule("node:sqlite") as typeof NodeSqlite | undefined;
  if (found !== undefined) return new found.DatabaseSync(file, options);
  throw fail("PR_FEATURE_REFUSED", {
    feature: "SQLite",
    adapter: `Node ${process.versions.node}`,
    reason: "it has no node:sqlite; use 22.22 or newer",
  });
}

const checked = new WeakSet<StatementSync>();

/** A user's own statement. @throws PR_FEATURE_REFUSED for one that would end or evade the transaction, and for several at once */
export function prepareForUser(connection: Connection, sql: string): StatementSync {
  const statement = connection.prepare(sql);
  if (checked.has(statement)) return statement;
  const flaw = statementFlaw(sql, statement.sourceSQL);
  if (flaw !== undefined) throw fail("PR_FEATURE_REFUSED", { ...flaw, adapter: "sqlite" });
  checked.add(statement);
  return statement;
}

/** Parameters as SQLite binds them: booleans are 0 and 1. */
export function bindable(parameters: readonly SqlValue[]): SQLInputValue[] {
  return parameters.map((value) => (typeof value === "boolean" ? Number(value) : value));
}
