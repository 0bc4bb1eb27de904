import { deferred, isPromise } from "../base/deferred.ts";
import type { Deferred, MaybePromise } from "../base/deferred.ts";
import { fail } from "../base/errors.ts";
import { listOf } from "../base/list-of.ts";
import type { Outgoing } from "../envelope/envelope.ts";
import type { InboxEntry } from "../ports/inbox.ts";
import type { ScheduledMessage } from "../ports/schedule.ts";
import type { Store, StoreTransaction, StoreTransactionOptions } from "../ports/store.ts";
import { enlist, inOrder } from "./runtime.ts";
import type { Runtime } from "./runtime.ts";
import type { AskedUnit, FailedStatement } from "./sql-answer.ts";

/** Thrown inside a unit of work when its message turns out to be done already, or to be another one under the same id. */
export class InboxRefusal extends Error {
  readonly verdict: "repeated" | "conflicting";

  constructor(verdict: "repeated" | "conflicting") {
    super(`the inbox says: ${verdict}`);
    this.name = "InboxRefusal";
    this.verdict = verdict;
  }
}

/** What a unit of work needs of its service. */
export type UnitRuntime = Omit<Runtime, "store"> & { readonly store: Pick<Store, "transaction"> | undefined };

/** Settles a message within a transaction. */
export type Settling = (transaction: StoreTransaction) => MaybePromise<void>;

const NONE: readonly never[] = [];

/**
 * The transaction around one run of a handler. Opens at the first use of `tx`, or at the end if there is something to write.
 *
 * States: *closed* (nothing was written); *open* (the store's transaction is ours); *ended* (committed or rolled back: everything throws).
 */
export class UnitOfWork implements StoreTransactionOptions, AskedUnit {
  /** Whether it may share a transaction with others: then it may have to run again for another's sake. */
  readonly mayShare: boolean;
  readonly #runtime: UnitRuntime;
  readonly #inbox: InboxEntry | undefined;
  readonly #settleIn: Settling | undefined;
  #outgoing: Outgoing[] | undefined;
  /** From the first composition on that is not there yet; the order of the calls is kept. */
  #late: MaybePromise<readonly Outgoing[]>[] | undefined;
  #scheduling: Promise<void>[] | undefined;
  #scheduled: ScheduledMessage[] | undefined;
  #cancelled: string[] | undefined;
  #opening: Promise<StoreTransaction> | undefined;
  #finish: Deferred | undefined;
  #committed: Promise<void> | undefined;
  /** The inbox' answer, where statements go out before it has come. */
  #recorded: Promise<void> | undefined;
  #isEnded = false;
  #isBegun = false;
  /** Statements that have no answer yet. */
  #asked = 0;
  #lastAnswered: Deferred | undefined;
  #failed: FailedStatement[] | undefined;

  /**
   * `inbox` is the row where the message may come again, written first. `settleIn` settles the message within the transaction; it is absent where that is
   * done after the commit.
   */
  constructor(runtime: UnitRuntime, inbox: InboxEntry | undefined, settleIn: Settling | undefined, mayShare = false) {
    this.mayShare = mayShare;
    this.#runtime = runtime;
    this.#inbox = inbox;
    this.#settleIn = settleIn;
  }

  get isOpen(): boolean {
    return this.#opening !== undefined;
  }

  /** Whether its transaction was asked for, and others have their turn before it. */
  get isWaiting(): boolean {
    return this.#opening !== undefined && !this.#isBegun;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Takes what a composition gives, in the order of the calls. */
  add(composed: MaybePromise<readonly Outgoing[]>): void {
    if (composed instanceof Promise || this.#late !== undefined) (this.#late ??= []).push(composed);
    else this.#take(composed);
  }

  /** Schedules the first message of a composition; its adapted copies are scheduled beside it. */
  schedule(composed: MaybePromise<readonly Outgoing[]>, id: string, dueAt: number): void {
    const put = (messages: readonly Outgoing[]): void => {
      this.#scheduled ??= [];
      messages.forEach((message, at) => this.#scheduled!.push({ id: at === 0 ? id : message.envelope.id, dueAt, message }));
    };
    if (composed instanceof Promise) (this.#scheduling ??= []).push(composed.then(put));
    else put(composed);
  }

  cancel(id: string): void {
    (this.#cancelled ??= []).push(id);
  }

  /** The transaction, opened at the first call. */
  open(): Promise<StoreTransaction> {
    this.#opening ??= this.#begin();
    return this.#opening;
  }

  asked(): void {
    this.#asked++;
  }

  ended(failed?: FailedStatement): void {
    if (failed !== undefined) (this.#failed ??= []).push(failed);
    if (--this.#asked === 0) this.#lastAnswered?.resolve();
  }

  /** What a statement answered, once the inbox has: its refusal comes before whatever the statement made of a message that is done already. */
  answered<Answer>(answer: Promise<Answer>): Promise<Answer> {
    if (this.#recorded === undefined) return answer;
    answer.catch(() => undefined); // heard below, unless the inbox refuses
    return this.#recorded.then(() => answer);
  }

  /** Writes everything, commits, and resolves once that is durable. @throws InboxRefusal, and what the store throws */
  async complete(): Promise<void> {
    this.#isEnded = true;
    if (this.#asked > 0 || this.#failed !== undefined) await this.#hearStatements();
    if (this.#scheduling !== undefined) await Promise.all(this.#scheduling);
    if (this.#late !== undefined) this.#take((await Promise.all(this.#late.map((part) => Promise.resolve(part)))).flat());
    if (this.#opening !== undefined) {
      this.#finish!.resolve();
      return this.#committed;
    }
    const runtime = this.#runtime;
    const settleIn = this.#settleIn;
    if (this.#inbox === undefined && this.isEmpty)
      return settleIn === undefined ? undefined : void (await runtime.store!.transaction(settleIn));
    if (runtime.store === undefined) return void (await this.#sendDirectly());
    await runtime.store.transaction((transaction) => inOrder([() => this.#recordInbox(transaction), () => this.#flush(transaction)]), this);
    this.#wake();
  }

  /** Waits for what nobody waits for. @throws what a statement failed with, if nobody has heard of it: somebody may have gone on after one that he knew of */
  async #hearStatements(): Promise<void> {
    if (this.#asked > 0) await (this.#lastAnswered = deferred()).promise;
    const unheard = this.#failed?.find(({ isHeard }) => !isHeard);
    if (unheard !== undefined) throw unheard.error;
  }

  /** Whether there is nothing to write but the settling. */
  get isEmpty(): boolean {
    return (
      this.#outgoing === undefined &&
      this.#scheduled === undefined &&
      this.#cancelled === undefined &&
      this.#late === undefined &&
      this.#scheduling === undefined
    );
  }

  /** Ends it with nothing written. */
  seal(): void {
    this.#isEnded = true;
  }

  /** Rolls back. Gives what its transaction ended with: not the reason, where it had come to nothing already, or could not even be rolled back. */
  async abandon(reason: unknown): Promise<unknown> {
    this.#isEnded = true;
    if (this.#late !== undefined || this.#scheduling !== undefined)
      await Promise.allSettled([...(this.#late ?? []), ...(this.#scheduling ?? [])]);
    if (this.#opening === undefined) return undefined;
    this.#finish!.reject(reason);
    return this.#committed!.catch((thrown: unknown) => thrown);
  }

  #begin(): Promise<StoreTransaction> {
    const { store, service } = this.#runtime;
    if (store === undefined) throw fail("PR_STORE_NEEDED", { feature: "tx", service });
    this.#finish = deferred();
    this.#finish.promise.catch(() => undefined); // seen by the transaction, if it ever gets to it
    return new Promise((resolve, reject) => {
      this.#committed = store.transaction((transaction) => this.#run(transaction, resolve), this);
      this.#committed.then(() => this.#wake(), reject);
    });
  }

  /** From the inbox row to what is written at the end; in between the handler has the transaction. */
  #run(transaction: StoreTransaction, begun: (transaction: StoreTransaction) => void): Promise<void> {
    this.#isBegun = true;
    const recorded = this.#recordInbox(transaction);
    if (isPromise(recorded)) return this.#runRecorded(transaction, begun, recorded);
    begun(transaction);
    return this.#finish!.promise.then(() => this.#flush(transaction));
  }

  async #runRecorded(
    transaction: StoreTransaction,
    begun: (transaction: StoreTransaction) => void,
    recorded: Promise<void>,
  ): Promise<void> {
    recorded.catch(() => undefined); // heard below
    if (transaction.isPipelined === true) this.#recorded = recorded;
    else await recorded;
    begun(transaction);
    await this.#finish!.promise;
    await recorded;
    await this.#flush(transaction);
  }

  #recordInbox(transaction: StoreTransaction): MaybePromise<void> {
    if (this.#inbox === undefined) return undefined;
    const verdict = transaction.inbox.record(this.#inbox);
    return verdict instanceof Promise ? verdict.then(refuse) : refuse(verdict);
  }

  #flush(transaction: StoreTransaction): MaybePromise<void> {
    const runtime = this.#runtime;
    const settleIn = this.#settleIn;
    const outgoing = this.#outgoing ?? NONE;
    if (this.#scheduled === undefined && this.#cancelled === undefined) {
      const sent = enlist(runtime, transaction, outgoing);
      return sent instanceof Promise ? sent.then(() => settleIn?.(transaction)) : settleIn?.(transaction);
    }
    const steps: (() => MaybePromise<unknown>)[] = [() => enlist(runtime, transaction, outgoing)];
    for (const id of this.#cancelled ?? []) steps.push(() => transaction.schedule.cancel(id));
    for (const entry of this.#scheduled ?? []) steps.push(() => transaction.schedule.put(entry));
    if (settleIn !== undefined) steps.push(() => settleIn(transaction));
    return inOrder(steps);
  }

  async #sendDirectly(): Promise<void> {
    if (this.#scheduled !== undefined || this.#cancelled !== undefined)
      throw fail("PR_STORE_NEEDED", { feature: "schedule", service: this.#runtime.service });
    const outgoing = this.#outgoing ?? NONE;
    if (outgoing.length === 1) return this.#sendBatch(outgoing); // most handlers that send
    const isEvent = ({ envelope }: Outgoing): boolean => envelope.kind === "event";
    await this.#sendBatch(outgoing.filter((message) => !isEvent(message)));
    await this.#sendBatch(outgoing.filter(isEvent));
  }

  /** Sends messages that go to one transport. */
  async #sendBatch(batch: readonly Outgoing[]): Promise<void> {
    const [first] = batch;
    if (first === undefined) return;
    const { transportOf, sendDeadlineMs } = this.#runtime;
    const outcomes = await transportOf(first.envelope.kind === "event" ? "event" : "command").send(batch, { deadlineMs: sendDeadlineMs });
    const failed = outcomes.find((outcome) => outcome !== undefined);
    if (failed !== undefined) throw failed;
  }

  #wake(): void {
    if (this.#scheduled !== undefined) this.#runtime.wakeScheduler(Math.min(...this.#scheduled.map(({ dueAt }) => dueAt)));
  }

  #take(messages: readonly Outgoing[]): void {
    (this.#outgoing ??= listOf()).push(...messages);
  }
}

function refuse(verdict: "first" | "repeated" | "conflicting"): void {
  if (verdict !== "first") throw new InboxRefusal(verdict);
}
