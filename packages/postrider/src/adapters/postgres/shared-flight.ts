import type { Clock, Timer } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { MaybePromise } from "../../base/deferred.ts";
import type { StoreTransaction } from "../../ports/store.ts";
import type { PgTransaction } from "./transaction.ts";
import { TransactionShare } from "./transaction-share.ts";

/** A unit of work that may share its transaction. */
export interface SharingUnit {
  readonly work: (transaction: StoreTransaction) => MaybePromise<unknown>;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** What a flight needs to know of its store. */
export interface FlightOptions {
  /** For error texts. */
  readonly store: string;
  readonly service: string;
  readonly clock: Clock;
  readonly transaction: PgTransaction;
  /** The next unit that may have its turn in this transaction. */
  readonly next: () => SharingUnit | undefined;
  /** It takes long: others need not wait for it. */
  readonly onSlow: () => void;
  readonly onCommitted: (transaction: PgTransaction) => void;
}

/** What became of a flight: how many shared it, and whether they had to be sent back. */
export interface Landing {
  readonly units: number;
  readonly hasFallen: boolean;
}

const MAX_UNITS = 32;
const MAX_TAKING_MS = 5; // whoever is done waits for the commit no longer than this, and one turn
const SLOW_MS = 10;
const MAX_WAIT_MS = 100; // of those who are done, for one whose turn lasts
// Two flights may want the same rows in opposite orders. The server would look for a deadlock after a second only; so a unit that shares waits no longer than this, and then runs alone.
const BOUNDS = "set local lock_timeout = 50; set local statement_timeout = 200";

/**
 * One transaction with the turns of several units of work, one after another, so that each sees what those before it did as if they had committed.
 *
 * All or nothing: where one fails, the others are sent back by a conflict, which is nobody's failure, and run again alone. One that was alone so far is as any other transaction.
 */
export class SharedFlight {
  readonly #options: FlightOptions;
  readonly #done: { readonly unit: SharingUnit; readonly result: unknown }[] = [];
  #current: SharingUnit | undefined;
  #share: TransactionShare | undefined;
  #timer: Timer | undefined;
  #isCommitting = false;
  #isOver = false;
  #break: (reason: Error) => void = () => undefined;

  constructor(options: FlightOptions) {
    this.#options = options;
  }

  /** Runs to its end; never rejects. */
  async run(first: SharingUnit): Promise<Landing> {
    const { clock, transaction } = this.#options;
    this.#timer = clock.after(SLOW_MS, () => this.#slow());
    try {
      await Promise.race([this.#turns(first), new Promise<never>((_, reject) => (this.#break = reject))]);
      await this.#commit();
      return { units: this.#done.length, hasFallen: false };
    } catch (error) {
      return await this.#fall(error);
    } finally {
      this.#timer.cancel();
      await transaction.release();
    }
  }

  async #turns(first: SharingUnit): Promise<void> {
    const { clock, transaction, service, next } = this.#options;
    const startedMs = clock.monotonicMs();
    for (let unit: SharingUnit | undefined = first; unit !== undefined;) {
      const share = new TransactionShare(transaction, service);
      [this.#current, this.#share] = [unit, share];
      const result = await unit.work(share);
      if (this.#isOver) return; // it took too long: it was sent back
      share.seal();
      this.#done.push({ unit, result });
      this.#current = undefined;
      if (transaction.hasFailed || !share.isPlain || this.#done.length === MAX_UNITS || clock.monotonicMs() - startedMs > MAX_TAKING_MS)
        return;
      unit = next();
      if (unit !== undefined && this.#done.length === 1) transaction.bound(BOUNDS);
    }
  }

  async #commit(): Promise<void> {
    const { transaction, onCommitted } = this.#options;
    this.#isCommitting = true;
    await transaction.commit();
    onCommitted(transaction);
    for (const { unit, result } of this.#done) unit.resolve(result);
  }

  /** A lone one fails by itself. Else whoever threw for a reason of its own gets that; for all others it is a conflict: they run again, each alone. */
  async #fall(error: unknown): Promise<Landing> {
    const { transaction } = this.#options;
    this.#isOver = true;
    const units = this.#done.length + (this.#current === undefined ? 0 : 1);
    const conflict = this.#conflict(error);
    const isOwn = units === 1 || (error !== conflict && !transaction.hasFailed);
    this.#share?.seal(conflict);
    await transaction.rollBack();
    for (const { unit } of this.#done) unit.reject(units === 1 ? error : conflict);
    this.#current?.reject(isOwn ? error : conflict);
    return { units, hasFallen: units > 1 };
  }

  #slow(): void {
    const { clock, onSlow } = this.#options;
    onSlow();
    this.#timer = clock.after(MAX_WAIT_MS - SLOW_MS, () => {
      // Whose turn it is has nobody to wait for it: it goes on alone.
      if (this.#done.length > 0 && !this.#isCommitting) this.#break(this.#conflict(undefined));
    });
  }

  #conflict(cause: unknown): PostriderError {
    const detail = "it shared a transaction with others, of which one failed or took too long; it runs again alone";
    return fail("PR_STORE_CONFLICT", { store: this.#options.store, during: "a shared transaction", detail }, { cause });
  }
}
