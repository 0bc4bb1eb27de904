import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { DeadLetterWriter } from "../../ports/dead-letters.ts";
import type { HeldWriter } from "../../ports/held.ts";
import type { InboxEntry, InboxWriter } from "../../ports/inbox.ts";
import type { OutboxWriter } from "../../ports/outbox.ts";
import type { ScheduleWriter } from "../../ports/schedule.ts";
import type { SqlRow, SqlValue } from "../../ports/sql.ts";
import type { StoreTransaction } from "../../ports/store.ts";
import type { Joinable, Participant } from "./participant.ts";
import { isPlainStatement } from "./plain-statement.ts";
import type { PgTransaction } from "./transaction.ts";

/** Who must know that a unit of work runs a statement of its own. */
export interface Listener {
  /** It is about to. May refuse. */
  readonly onStatement: () => void;
  /** The statement is on its way. */
  readonly onSent: () => void;
}

/**
 * One unit of work's turn in a transaction that several share.
 *
 * States: *open*; *sealed* (the turn is over: every use throws). A turn that is over for a neighbour's sake says so.
 */
export class TransactionShare implements StoreTransaction, Joinable {
  readonly isPipelined = true;
  readonly #whole: PgTransaction;
  readonly #service: string;
  readonly #listener: Listener;
  #isPlain = true;
  #isSealed = false;
  #fallen: PostriderError | undefined;
  #entry: InboxEntry | undefined;

  constructor(whole: PgTransaction, service: string, listener: Listener) {
    this.#whole = whole;
    this.#service = service;
    this.#listener = listener;
  }

  /** Whether it surely left nothing behind in the transaction but rows. */
  get isPlain(): boolean {
    return this.#isPlain;
  }

  get raw(): unknown {
    const whole = this.#open("tx.raw");
    this.#isPlain = false;
    this.#listener.onStatement();
    return whole.raw;
  }

  /** Written with the commit, for all turns at once. Who shares has asked the inbox before; if a rival was faster all the same, nothing is committed, and who runs again alone is told. */
  get inbox(): InboxWriter {
    const whole = this.#open("tx.inbox");
    return {
      record: (entry) => {
        this.#entry = entry;
        whole.expectNew(entry);
        return "first";
      },
    };
  }

  /** What it has told the inbox. */
  get entry(): InboxEntry | undefined {
    return this.#entry;
  }

  get outbox(): OutboxWriter {
    return this.#open("tx.outbox").outbox;
  }

  get schedule(): ScheduleWriter {
    return this.#open("tx.schedule").schedule;
  }

  get held(): HeldWriter {
    return this.#open("tx.held").held;
  }

  get deadLetters(): DeadLetterWriter {
    return this.#open("tx.deadLetters").deadLetters;
  }

  async run(sql: string, ...parameters: readonly SqlValue[]): Promise<{ readonly changes: number }> {
    return this.#user("tx.run", sql, (whole) => whole.run(sql, ...parameters));
  }

  async get<Row extends object = SqlRow>(sql: string, ...parameters: readonly SqlValue[]): Promise<Row | undefined> {
    return this.#user("tx.get", sql, (whole) => whole.get<Row>(sql, ...parameters));
  }

  async all<Row extends object = SqlRow>(sql: string, ...parameters: readonly SqlValue[]): Promise<Row[]> {
    return this.#user("tx.all", sql, (whole) => whole.all<Row>(sql, ...parameters));
  }

  join(make: () => Participant): Participant {
    return this.#open("a part in it").join(make);
  }

  /** The turn is over. With an error that says why, where it came to nothing. */
  seal(fallen?: PostriderError): void {
    this.#isSealed = true;
    this.#fallen = fallen;
  }

  #user<Answer>(call: string, sql: string, send: (whole: PgTransaction) => Promise<Answer>): Promise<Answer> {
    const whole = this.#open(call);
    if (!isPlainStatement(sql)) this.#isPlain = false;
    this.#listener.onStatement();
    const answer = send(whole);
    this.#listener.onSent();
    return answer;
  }

  #open(call: string): PgTransaction {
    if (!this.#isSealed) return this.#whole;
    throw this.#fallen ?? fail("PR_CONTEXT_SEALED", { call, handler: `a transaction of ${this.#service}` });
  }
}
