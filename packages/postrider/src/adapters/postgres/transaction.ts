import type { Clock } from "../../base/clock.ts";
import { fail, isPostriderError } from "../../base/errors.ts";
import type { ContractKind } from "../../contracts/contract.ts";
import type { DeadLetterWriter } from "../../ports/dead-letters.ts";
import type { HeldWriter } from "../../ports/held.ts";
import type { InboxEntry, InboxWriter } from "../../ports/inbox.ts";
import type { OutboxWriter } from "../../ports/outbox.ts";
import type { ScheduleWriter } from "../../ports/schedule.ts";
import type { SqlRow, SqlValue } from "../../ports/sql.ts";
import type { StoreTransaction } from "../../ports/store.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import { kindOfDestination } from "../../envelope/outgoing.ts";
import type { AppendGroup } from "./append-group.ts";
import type { PgClient, PgQuery, PgResult } from "./connection.ts";
import type { PgLease } from "./lease.ts";
import type { GroupCommit, Joinable, Participant } from "./participant.ts";
import { bound } from "./statement.ts";
import type { Run, Statement } from "./statement.ts";
import type { StoreTables } from "./store-tables.ts";
import { portableRows, preparedName, userQuery } from "./user-sql.ts";
import { isAborted, isConnectionLost, wrapStoreError } from "./vendor-error.ts";

/** What a transaction needs of its store. */
export interface TransactionPlace {
  /** For error texts. */
  readonly store: string;
  readonly service: string;
  readonly tables: StoreTables;
  readonly isPrepared: boolean;
  readonly clock: Clock;
  /** What begins it. Undefined for one that the caller has begun, and will end. */
  readonly begin: string | undefined;
  /** Gives a connection of its own. */
  readonly borrow: () => Promise<PgLease>;
  /** Commits what did nothing but to settle and to send, many in one commit. */
  readonly groupCommit: () => GroupCommit | undefined;
  /** Commits what did nothing but to write outgoing messages, many in one statement. */
  readonly appendGroup: AppendGroup;
}

/**
 * One unit of work, on a connection of its own from its first statement on.
 *
 * Statements go out at once where the client can do that, so that the begin travels with the first of them; what need not be answered before the end (messages)
 * travels with the commit. States: *open*; *sealed* (the work has ended: every use throws, but for the client that `raw` gave, which must not be kept).
 */
export class PgTransaction implements StoreTransaction, Joinable {
  readonly isPipelined = true;
  readonly #place: TransactionPlace;
  readonly #run: Run;
  readonly #deferred: (() => Promise<unknown>)[] = [];
  readonly #expected: InboxEntry[] = [];
  readonly #outgoing: Outgoing[] = [];
  #lease: Promise<PgLease> | undefined;
  #begun: Promise<unknown> | undefined;
  #settings = "";
  #last: Promise<unknown> = Promise.resolve();
  #failure: unknown;
  #participant: Participant | undefined;
  #isSealed = false;
  #underWay = 0;
  #idleSinceMs: number | undefined;
  #idleMs = 0;
  #held: PgLease | undefined;

  constructor(place: TransactionPlace) {
    this.#place = place;
    this.#run = (statement, ...values) => this.statement(statement, values, "a part of the store");
  }

  /** A promise of this transaction's `pg` client. Not for its begin or end, and not to be kept. */
  get raw(): Promise<unknown> {
    return this.#client();
  }

  get inbox(): InboxWriter {
    return this.#place.tables.inbox.writer(this.#run);
  }

  /** Remembers a message as completed with the commit, which fails if it was before. */
  expectNew(entry: InboxEntry): void {
    this.#assertOpen("tx.inbox");
    this.#expected.push(entry);
  }

  get outbox(): OutboxWriter {
    this.#assertOpen("tx.outbox");
    return { append: (messages) => void this.#outgoing.push(...messages) };
  }

  get schedule(): ScheduleWriter {
    return this.#place.tables.schedule.writer(this.#run);
  }

  get held(): HeldWriter {
    return this.#place.tables.held.writer(this.#run);
  }

  get deadLetters(): DeadLetterWriter {
    return this.#place.tables.deadLetters.writer(this.#run);
  }

  /** Whether outbox rows may have come. */
  get hasOutbox(): boolean {
    return this.#outgoing.length > 0;
  }

  /** Of which kinds they are. */
  get outboxKinds(): ReadonlySet<ContractKind> {
    return new Set(this.#outgoing.map(({ destination }) => kindOfDestination(destination)));
  }

  /** For how long, since its first answer, it had no statement under way: whoever used it waited for something else. */
  get idleMs(): number {
    return this.#idleMs + (this.#idleSinceMs === undefined ? 0 : this.#place.clock.monotonicMs() - this.#idleSinceMs);
  }

  /** The connection that it waits for; undefined while it wants none, and once it has it. */
  get awaited(): Promise<unknown> | undefined {
    return this.#held === undefined ? this.#lease : undefined;
  }

  /** Whether a statement has failed: nothing of it can be committed. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Whether its connection was lost, or could not be had. */
  get isCutOff(): boolean {
    return this.#held?.isBroken === true || isConnectionLost(isPostriderError(this.#failure) ? this.#failure.cause : this.#failure);
  }

  /** What its work has thrown, as it is; but a lost connection that `tx.raw` told of as one of the table. */
  asThrown(error: unknown): unknown {
    return this.isCutOff && isConnectionLost(error) ? wrapStoreError(error, this.#place.store, "a statement of tx.raw") : error;
  }

  async run(sql: string, ...parameters: readonly SqlValue[]): Promise<{ readonly changes: number }> {
    const name = this.#place.isPrepared ? preparedName(sql) : undefined;
    return { changes: (await this.#user(sql, parameters, "tx.run", name)).rowCount ?? 0 };
  }

  async get<Row extends object = SqlRow>(sql: string, ...parameters: readonly SqlValue[]): Promise<Row | undefined> {
    return portableRows(await this.#user(sql, parameters, "tx.get"))[0] as Row | undefined;
  }

  async all<Row extends object = SqlRow>(sql: string, ...parameters: readonly SqlValue[]): Promise<Row[]> {
    return portableRows(await this.#user(sql, parameters, "tx.all")) as Row[];
  }

  join(make: () => Participant): Participant {
    this.#assertOpen("a part in it");
    this.#participant ??= make();
    return this.#participant;
  }

  /** Runs a statement of our own now. @throws the vendor's error as one of the table */
  async statement(statement: Statement, values: readonly unknown[], during: string): Promise<PgResult> {
    this.#assertOpen(during);
    return this.#execute(bound(statement, values, this.#place.isPrepared), during);
  }

  /** Runs a statement of our own with the commit, after everything else. */
  defer(statement: Statement, ...values: readonly unknown[]): void {
    const during = "what is written with the commit";
    this.#assertOpen(during);
    const query = bound(statement, values, this.#place.isPrepared);
    this.#deferred.push(() => this.#execute(query, during));
  }

  /** Settings until its end, from its next statement on. Not awaited: where they fail, that one does too. */
  bound(settings: string): void {
    if (this.#begun === undefined) this.#settings = `; ${settings}`;
    else this.#send({ text: settings }).catch((error: unknown) => void (this.#failure ??= error));
  }

  /** Ends it: what was deferred and the commit leave together. @throws when it could not be committed, or nobody knows whether it was */
  async commit(): Promise<void> {
    const participant = this.#participant;
    const shared = this.#sharedCommit(participant);
    if (this.#expected.length > 0) this.defer(...this.#place.tables.inbox.additionOf(this.#expected));
    if (shared === undefined && this.hasOutbox) this.defer(...this.#place.tables.outbox.append(this.#outgoing));
    this.#isSealed = true;
    if (shared !== undefined) return shared();
    const flushed = (await participant?.flush({ query: (query) => this.#begunQuery(query) })) ?? [];
    const deferred = [...flushed, ...this.#deferred.map((execute) => execute())];
    const ended = this.#place.begin === undefined ? Promise.resolve(NOT_OURS) : this.#begunQuery({ text: "commit" });
    const failures = (await Promise.allSettled(deferred)).flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
    const { command } = await ended.catch((error: unknown) => {
      throw wrapStoreError(error, this.#place.store, "the commit, which may have been done");
    });
    if (command === "" && failures.length > 0) throw failures[0];
    // The server says so to a commit that follows a failed statement, and no error is thrown: somebody caught that of the statement, and went on.
    if (command === "ROLLBACK") throw failures.find((failure) => !isAborted(failure)) ?? this.#brokenError();
    participant?.committed();
  }

  /** What commits this together with others, if it did nothing that needs a transaction of its own. */
  #sharedCommit(participant: Participant | undefined): (() => Promise<void>) | undefined {
    if (this.#begun !== undefined || this.#deferred.length > 0 || this.#expected.length > 0 || this.#place.begin === undefined)
      return undefined;
    if (participant === undefined) return this.hasOutbox ? () => this.#place.appendGroup.append(this.#outgoing) : () => Promise.resolve();
    const groupCommit = this.hasOutbox ? undefined : this.#place.groupCommit();
    return groupCommit === undefined ? undefined : () => groupCommit.commit(participant);
  }

  /** Undoes everything. A connection that cannot even do that may be in any state: it is closed, and the server rolls back. */
  async rollBack(): Promise<void> {
    this.#isSealed = true;
    this.#participant?.rolledBack();
    const lease = await this.#lease?.catch(() => undefined);
    if (lease === undefined || lease.isBroken || this.#place.begin === undefined) return;
    await this.#send({ text: "rollback" }).catch(() => void (lease.isBroken = true));
  }

  /** Gives the connection back. */
  async release(): Promise<void> {
    (await this.#lease?.catch(() => undefined))?.release();
  }

  async #user(sql: string, parameters: readonly SqlValue[], call: string, name?: string): Promise<PgResult> {
    this.#assertOpen(call);
    const query = userQuery(sql, parameters);
    return this.#execute(name === undefined ? query : { ...query, name }, call);
  }

  async #execute(query: PgQuery, during: string): Promise<PgResult> {
    try {
      return await this.#begunQuery(query);
    } catch (error) {
      this.#failure ??= error;
      throw wrapStoreError(error, this.#place.store, during);
    }
  }

  async #client(): Promise<PgClient> {
    this.#assertOpen("tx.raw");
    await this.#begin();
    return (await this.#lease!).client;
  }

  #begin(): Promise<unknown> {
    this.#lease ??= this.#place.borrow();
    const { begin } = this.#place;
    this.#begun ??= begin === undefined ? Promise.resolve() : this.#send({ text: begin + this.#settings });
    return this.#begun;
  }

  #begunQuery(query: PgQuery): Promise<PgResult> {
    // Not awaited: it leaves before the statement, and where it fails the statement does too.
    this.#begin().catch(() => undefined);
    return this.#send(query);
  }

  /** In the order of the calls; one after another where the client cannot have several on their way. */
  async #send(query: PgQuery): Promise<PgResult> {
    if (this.#underWay++ === 0) {
      this.#idleMs = this.idleMs;
      this.#idleSinceMs = undefined;
    }
    try {
      const lease = await this.#lease!;
      this.#held = lease;
      if (lease.client.pipeline === true) return await lease.query(query);
      const sent = this.#last.then(() => lease.query(query));
      this.#last = sent.catch(() => undefined);
      return await sent;
    } finally {
      if (--this.#underWay === 0) this.#idleSinceMs = this.#place.clock.monotonicMs();
    }
  }

  #brokenError(): Error {
    const first = this.#failure;
    if (isPostriderError(first)) return first;
    const detail = `it was rolled back, because a statement in it had failed: ${first instanceof Error ? first.message : "through tx.raw"}`;
    return fail("PR_STORE_FAILED", { store: this.#place.store, during: "the commit", detail }, { cause: first });
  }

  #assertOpen(call: string): void {
    if (this.#isSealed) throw fail("PR_CONTEXT_SEALED", { call, handler: `a transaction of ${this.#place.service}` });
  }
}

/** In place of the answer to a commit, where that is the caller's. */
const NOT_OURS: PgResult = { rows: [], rowCount: 0, command: "" };
