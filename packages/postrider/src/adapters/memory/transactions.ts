import { isPromise } from "../../base/deferred.ts";
import type { MaybePromise } from "../../base/deferred.ts";
import { fail } from "../../base/errors.ts";
import type { Turns } from "./turns.ts";

/** Something that takes part in a transaction: it holds its changes back until the commit. */
export interface Participant {
  /** Refuses the commit by throwing. Called on all before anything is applied. */
  prepare?(): void;
  commit(): void;
  rollback(): void;
}

/** One open transaction. At most one is open at a time in a world. */
export class MemoryUnit {
  readonly #participants: Participant[] = [];
  #last: Participant | undefined;
  #isOpen = true;
  #isDead = false;

  /** Whether its process is gone, as far as the tests say. */
  get isDead(): boolean {
    return this.#isDead;
  }

  /** Refuses whoever kept the transaction beyond its end. */
  assertOpen(during: string): void {
    if (!this.#isOpen) throw fail("PR_STORE_CLOSED", { store: "memory", during: `${during} in a transaction that has ended` });
  }

  /** Takes part from now on. */
  join(participant: Participant): void {
    this.assertOpen("a change");
    this.#participants.push(participant);
  }

  /** Takes part, prepared after all others: for one whose preparation cannot be taken back. */
  joinLast(participant: Participant): void {
    this.assertOpen("a statement");
    this.#last = participant;
  }

  /** Applies everything, or throws and has applied nothing. */
  commit(): void {
    this.assertOpen("commit");
    for (const participant of this.#participants) participant.prepare?.();
    this.#last?.prepare?.();
    this.#isOpen = false;
    for (const participant of this.#participants) participant.commit();
    this.#last?.commit();
  }

  /** Drops everything. May be called twice. */
  rollback(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const participant of this.#participants) participant.rollback();
    this.#last?.rollback();
  }

  /** Rolls back as the end of its process would. */
  kill(): void {
    this.rollback();
    this.#isDead = true;
  }
}

interface Waiting {
  start(): void;
  reject(reason: unknown): void;
}

/**
 * Runs transactions one after another, in the order they were asked for: as serializable as it gets.
 *
 * States of a unit: waiting → open (the only one) → committed or rolled back. A crash rolls the open one back and rejects the waiting ones.
 */
export class Transactions {
  #active: MemoryUnit | undefined;
  #waiting: Waiting[] = [];
  #isDraining = false;
  readonly #turns: Turns;

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  /** Whether a transaction is open now. */
  get isBusy(): boolean {
    return this.#active !== undefined;
  }

  /** Runs `work` alone; at once, in the caller's own turn, when nothing else is open. */
  run<Result>(work: (unit: MemoryUnit) => MaybePromise<Result>): Promise<Result> {
    if (this.#active === undefined && this.#waiting.length === 0) return this.#begin(work);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ start: () => void this.#begin(work).then(resolve, reject), reject });
    });
  }

  /** Ends everything as the death of the process would. */
  crash(): void {
    this.#active?.kill();
    this.#active = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) one.reject(crashed());
  }

  #begin<Result>(work: (unit: MemoryUnit) => MaybePromise<Result>): Promise<Result> {
    const unit = new MemoryUnit();
    this.#active = unit;
    let result: MaybePromise<Result>;
    try {
      result = work(unit);
    } catch (error) {
      return this.#failed(unit, error);
    }
    if (!isPromise(result)) return this.#ended(unit, result);
    return result.then(
      (value) => this.#ended(unit, value),
      (error: unknown) => this.#failed(unit, error),
    );
  }

  #ended<Result>(unit: MemoryUnit, result: Result): Promise<Result> {
    if (unit.isDead) return Promise.reject(crashed());
    try {
      unit.commit();
    } catch (error) {
      return this.#failed(unit, error);
    }
    this.#next(unit);
    return this.#turns.settle(result);
  }

  async #failed(unit: MemoryUnit, error: unknown): Promise<never> {
    unit.rollback();
    this.#next(unit);
    throw error; // what `work` threw, whatever it is
  }

  #next(ended: MemoryUnit): void {
    if (this.#active !== ended) return;
    this.#active = undefined;
    if (this.#isDraining) return; // the loop below goes on by itself: no recursion however many wait
    this.#isDraining = true;
    for (let at = 0; at < this.#waiting.length && this.#active === undefined;) {
      const next = this.#waiting[at++]!;
      if (at === this.#waiting.length || at > 256) {
        this.#waiting.splice(0, at);
        at = 0;
      }
      next.start();
      if (this.#active !== undefined) {
        this.#waiting.splice(0, at);
        break;
      }
    }
    this.#isDraining = false;
  }
}

function crashed(): Error {
  return fail("PR_STORE_CLOSED", { store: "memory", during: "a transaction that a crash ended" });
}
