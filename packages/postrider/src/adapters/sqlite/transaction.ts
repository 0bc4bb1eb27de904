import { fail } from "../../base/errors.ts";
import { listOf } from "../../base/list-of.ts";
import type { DeadLetterWriter } from "../../ports/dead-letters.ts";
import type { HeldWriter } from "../../ports/held.ts";
import type { InboxWriter } from "../../ports/inbox.ts";
import type { OutboxWriter } from "../../ports/outbox.ts";
import type { ScheduleWriter } from "../../ports/schedule.ts";
import type { StoreTransaction } from "../../ports/store.ts";
import type { SqlRow, SqlValue } from "../../ports/sql.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import { bindable, prepareForUser } from "./connection.ts";
import type { Connection } from "./connection.ts";
import type { SqliteDelivery } from "./delivery.ts";
import type { StorePlace } from "./place.ts";
import { DeadLetterTable } from "./store-dead-letters.ts";
import { HeldTable } from "./store-held.ts";
import { InboxTable } from "./store-inbox.ts";
import { OutboxTable } from "./store-outbox.ts";
import { ScheduleTable } from "./store-schedule.ts";
import { wrapVendorError } from "./vendor-error.ts";

const NONE: readonly never[] = [];

const SAVEPOINT = "savepoint pr_session";
const RELEASE = "release pr_session";
const ROLL_BACK = "rollback to pr_session";

/**
 * One caller's share of a turn: it fails alone.
 *
 * The savepoint is set at the first statement. Messages and settlings are kept aside until the work is done, so work that does nothing else needs none.
 * States: *open*; *sealed* (the work has ended: every use throws).
 */
export class SqliteTransaction implements StoreTransaction {
  readonly #place: StorePlace;
  #outgoing: Outgoing[] | undefined;
  #settled: SqliteDelivery[] | undefined;
  #hasSavepoint = false;
  #hasOutbox = false;
  #isSealed = false;

  constructor(place: StorePlace) {
    this.#place = place;
  }

  get raw(): unknown {
    return this.#writable("tx.raw").db;
  }

  get inbox(): InboxWriter {
    return new InboxTable(this.#place, this.#writable("tx.inbox"));
  }

  get outbox(): OutboxWriter {
    this.#hasOutbox = true;
    return new OutboxTable(this.#place, this.#writable("tx.outbox"));
  }

  get schedule(): ScheduleWriter {
    return new ScheduleTable(this.#place, this.#writable("tx.schedule"));
  }

  get held(): HeldWriter {
    return new HeldTable(this.#place, this.#writable("tx.held"));
  }

  get deadLetters(): DeadLetterWriter {
    return new DeadLetterTable(this.#place, this.#writable("tx.deadLetters"));
  }

  /** Messages that leave with the commit. */
  get outgoing(): readonly Outgoing[] {
    return this.#outgoing ?? NONE;
  }

  /** Deliveries that the commit settles. */
  get settled(): readonly SqliteDelivery[] {
    return this.#settled ?? NONE;
  }

  /** Whether outbox rows may have come. */
  get hasOutbox(): boolean {
    return this.#hasOutbox;
  }

  run(sql: string, ...parameters: readonly SqlValue[]): Promise<{ readonly changes: number }> {
    return this.#execute("tx.run", (connection) => ({
      changes: Number(prepareForUser(connection, sql).run(...bindable(parameters)).changes),
    }));
  }

  get<Row extends object = SqlRow>(sql: string, ...parameters: readonly SqlValue[]): Promise<Row | undefined> {
    return this.#execute("tx.get", (connection) => prepareForUser(connection, sql).get(...bindable(parameters)) as Row | undefined);
  }

  all<Row extends object = SqlRow>(sql: string, ...parameters: readonly SqlValue[]): Promise<Row[]> {
    return this.#execute("tx.all", (connection) => prepareForUser(connection, sql).all(...bindable(parameters)) as Row[]);
  }

  /** Adds messages to the log with the commit. */
  enlist(batch: readonly Outgoing[]): void {
    this.#assertOpen("enlist");
    (this.#outgoing ??= listOf()).push(...batch);
  }

  /** Settles a delivery with the commit. The caller has seen that its lane is ours. */
  settle(delivery: SqliteDelivery): void {
    this.#assertOpen("settleIn");
    delivery.state = "settling";
    (this.#settled ??= listOf()).push(delivery);
  }

  /** The work is done: nothing more is taken. */
  seal(): void {
    this.#isSealed = true;
    if (this.#hasSavepoint) this.#place.connection.run(RELEASE);
  }

  /** The work has failed: as if it had never been. Throws the error if the whole transaction has gone with it. */
  undo(error: unknown): void {
    this.#isSealed = true;
    for (const delivery of this.settled) delivery.state = "out";
    const { connection } = this.#place;
    if (!connection.db.isTransaction) throw error;
    if (!this.#hasSavepoint) return;
    connection.run(ROLL_BACK);
    connection.run(RELEASE);
  }

  #execute<Result>(call: string, statement: (connection: Connection) => Result): Promise<Result> {
    try {
      return Promise.resolve(statement(this.#writable(call)));
    } catch (error) {
      return Promise.reject(wrapVendorError(error, this.#place.file, call));
    }
  }

  #writable(call: string): Connection {
    this.#assertOpen(call);
    const { connection } = this.#place;
    if (!this.#hasSavepoint) connection.run(SAVEPOINT);
    this.#hasSavepoint = true;
    return connection;
  }

  #assertOpen(call: string): void {
    if (this.#isSealed) throw fail("PR_CONTEXT_SEALED", { call, handler: `a transaction of ${this.#place.service}` });
  }
}
