import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { MaybePromise } from "../../base/deferred.ts";
import { fail, reasonOf } from "../../base/errors.ts";
import { statementFlaw } from "../../base/user-statement.ts";
import type { Sql, SqlRow, SqlValue } from "../../ports/sql.ts";
import type { MemoryUnit, Participant, Transactions } from "./transactions.ts";

const MAX_STATEMENTS = 200; // prepared statements kept; the oldest goes first

/**
 * The users' own tables: a SQLite database in memory, opened at its first use.
 *
 * A transaction of the world that touches it begins one here, which commits and rolls back along.
 */
export class MemorySql implements Participant {
  readonly #transactions: Transactions;
  readonly #statements = new Map<string, StatementSync>();
  #database: DatabaseSync | undefined;
  #unit: MemoryUnit | undefined;

  constructor(transactions: Transactions) {
    this.#transactions = transactions;
  }

  /** The database itself, within this transaction. */
  handle(unit: MemoryUnit): DatabaseSync {
    if (this.#unit === unit) {
      unit.assertOpen("a statement");
    } else {
      unit.joinLast(this);
      this.#open().exec("begin");
      this.#unit = unit;
    }
    return this.#open();
  }

  /** SQL within a transaction. Runs at the call, so that nothing slips behind the commit. */
  within(unit: MemoryUnit): Sql {
    return new BoundSql((sql, use) => {
      this.handle(unit);
      return use(this.#prepare(sql));
    }, "a unit of work");
  }

  /**
   * Committed rows.
   *
   * Waits while a transaction has uncommitted ones: there is one connection. So inside a transaction use that one's own SQL.
   */
  readonly committed: Sql = new BoundSql((sql, use) => {
    if (this.#unit === undefined) return use(this.#prepare(sql));
    return this.#transactions.run(() => use(this.#prepare(sql)));
  }, "a read");

  prepare(): void {
    this.#open().exec("commit");
  }

  commit(): void {
    this.#unit = undefined;
  }

  rollback(): void {
    this.#unit = undefined;
    if (this.#database?.isTransaction !== false) this.#database?.exec("rollback");
  }

  #open(): DatabaseSync {
    if (this.#database !== undefined) return this.#database;
    // Loaded only here: most tests have no SQL of their own, and Node 22 warns of node:sqlite.
    const { DatabaseSync: Database } = process.getBuiltinModule("node:sqlite");
    this.#database = new Database(":memory:");
    return this.#database;
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#open().prepare(sql);
      const flaw = statementFlaw(sql, statement.sourceSQL);
      if (flaw !== undefined) throw fail("PR_FEATURE_REFUSED", { ...flaw, adapter: "memory" });
      if (this.#statements.size >= MAX_STATEMENTS) this.#statements.delete(this.#statements.keys().next().value!);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

type Execute = <Result>(sql: string, use: (statement: StatementSync) => Result) => MaybePromise<Result>;

class BoundSql implements Sql {
  readonly #execute: Execute;
  readonly #during: string;

  constructor(execute: Execute, during: string) {
    this.#execute = execute;
    this.#during = during;
  }

  async run(sql: string, ...parameters: readonly SqlValue[]): Promise<{ readonly changes: number }> {
    const result = await this.#call(sql, (statement) => statement.run(...parameters.map(bindable)));
    return { changes: Number(result.changes) };
  }

  async get<Row extends object = SqlRow>(sql: string, ...parameters: readonly SqlValue[]): Promise<Row | undefined> {
    return (await this.#call(sql, (statement) => statement.get(...parameters.map(bindable)))) as Row | undefined;
  }

  async all<Row extends object = SqlRow>(sql: string, ...parameters: readonly SqlValue[]): Promise<Row[]> {
    return (await this.#call(sql, (statement) => statement.all(...parameters.map(bindable)))) as Row[];
  }

  async #call<Result>(sql: string, use: (statement: StatementSync) => Result): Promise<Result> {
    try {
      return await this.#execute(sql, use);
    } catch (error) {
      if ((error as { code?: unknown }).code !== "ERR_SQLITE_ERROR") throw error;
      throw fail("PR_STORE_FAILED", { store: "memory", during: this.#during, detail: reasonOf(error) }, { cause: error });
    }
  }
}

function bindable(value: SqlValue): SQLInputValue {
  return typeof value === "boolean" ? Number(value) : value;
}
