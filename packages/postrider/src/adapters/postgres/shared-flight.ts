import { deferred } from "../../base/deferred.ts";
import type { Deferred, MaybePromise } from "../../base/deferred.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { InboxEntry } from "../../ports/inbox.ts";
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
  /** Whether the next unit may begin while a statement is under way, because none of late had more than one. */
  readonly overlaps: boolean;
  /** The next unit that may have its turn in this transaction. */
  readonly next: () => SharingUnit | undefined;
  /** How many wait. */
  readonly waiting: () => number;
  /** It takes long: others need not wait for it. */
  readonly onSlow: () => void;
  readonly onCommitted: (transaction: PgTransaction) => void;
  /** Whether a message was completed by a rival meanwhile. */
  readonly isKnown: (entry: InboxEntry) => Promise<boolean>;
}

/** What became of a flight: how many shared it, whether they had to be sent back, whether each had no more than one statement, and for how long all waited for something else than the server. */
export interface Landing {
  readonly units: number;
  readonly hasFallen: boolean;
  readonly isTerse: boolean;
  readonly idleMs: number;
}

interface Turn {
  readonly unit: SharingUnit;
  readonly share: TransactionShare;
  statements: number;
  isDone: boolean;
  result: unknown;
}

const MAX_UNITS = 32;
// From the end of the first turn: whoever is done waits for the commit no longer than this, and one turn. Longer where so many wait that they fill a transaction: there it is throughput that counts.
const MAX_TAKING_MS = 20;
const MAX_TAKING_OF_MANY_MS = 100;
const SLOW_MS = 10; // of a turn
const MAX_WAIT_MS = 250; // of those who are done, for one whose turn lasts
// Two flights may want the same rows in opposite orders. The server would look for a deadlock after a second only; so a unit that shares waits no longer than this, and then runs alone.
const BOUNDS = "set local lock_timeout = 150; set local statement_timeout = 500";

/**
 * One transaction with the turns of several units of work, so that each sees what those before it did as if they had committed.
 *
 * A turn begins when the one before it is over; or, where it `overlaps`, when that has sent a statement, which is then its only one: another would see what it must not, and brings
 * the flight down. All or nothing: where one fails, the others are sent back by a conflict, which is nobody's failure, and run again alone. One that was alone so far is as any other.
 */
export class SharedFlight {
  readonly #options: FlightOptions;
  readonly #turns: Turn[] = [];
  readonly #over: Deferred = deferred();
  #timer: Timer | undefined;
  #done = 0;
  #firstDoneMs: number | undefined;
  #isTerse = true;
  #idleMs = 0;
  #isClosed = false;

  constructor(options: FlightOptions) {
    this.#options = options;
  }

  /** Runs to its end; never rejects. */
  async run(first: SharingUnit): Promise<Landing> {
    const { transaction, onCommitted } = this.#options;
    try {
      this.#take(first);
      await this.#over.promise;
      this.#isClosed = true;
      this.#idleMs = transaction.idleMs;
      await transaction.commit();
      onCommitted(transaction);
      for (const { unit, result } of this.#turns) unit.resolve(result);
      return this.#landing(false);
    } catch (error) {
      await this.#fall(error);
      return this.#landing(this.#turns.length > 1 && !transaction.isCutOff); // which says nothing against sharing
    } finally {
      this.#timer?.cancel();
      await transaction.release();
    }
  }

  #landing(hasFallen: boolean): Landing {
    return { units: this.#turns.length, hasFallen, isTerse: this.#isTerse, idleMs: this.#idleMs };
  }

  #take(unit: SharingUnit): void {
    const { transaction, service } = this.#options;
    if (this.#turns.length === 1) transaction.bound(BOUNDS);
    const listener = { onStatement: () => this.#speaks(turn), onSent: () => this.#sent(turn) };
    const turn: Turn = {
      unit,
      share: new TransactionShare(transaction, service, listener),
      statements: 0,
      isDone: false,
      result: undefined,
    };
    this.#turns.push(turn);
    this.#watch();
    void this.#run(turn);
  }

  async #run(turn: Turn): Promise<void> {
    try {
      turn.result = await turn.unit.work(turn.share);
    } catch (error) {
      return this.#over.reject(new TurnFailure(turn, error));
    }
    if (this.#isClosed) return; // it was sent back
    turn.share.seal();
    turn.isDone = true;
    this.#done++;
    this.#firstDoneMs ??= this.#options.clock.monotonicMs();
    if (turn === this.#turns.at(-1)) this.#goOn();
    if (this.#done === this.#turns.length) this.#over.resolve();
  }

  #goOn(): void {
    const { transaction, clock, next, waiting } = this.#options;
    if (this.#isClosed || transaction.hasFailed || !this.#turns.at(-1)!.share.isPlain) return;
    const nowMs = clock.monotonicMs();
    const maxTakingMs = waiting() < MAX_UNITS ? MAX_TAKING_MS : MAX_TAKING_OF_MANY_MS;
    if (this.#turns.length === MAX_UNITS || nowMs - (this.#firstDoneMs ?? nowMs) > maxTakingMs) return;
    const unit = next();
    if (unit !== undefined) this.#take(unit);
  }

  #speaks(turn: Turn): void {
    if (++turn.statements === 1) return;
    this.#isTerse = false;
    if (turn !== this.#turns.at(-1)) throw this.#conflict(undefined);
  }

  #sent(turn: Turn): void {
    if (this.#options.overlaps && turn.statements === 1 && turn === this.#turns.at(-1)) this.#goOn();
  }

  /** A lone one fails by itself. Else whoever threw for a reason of its own gets that; for all others it is a conflict: they run again, each alone. */
  async #fall(reason: unknown): Promise<void> {
    const { transaction } = this.#options;
    this.#isClosed = true;
    const error = transaction.asThrown(reason instanceof TurnFailure ? reason.error : reason);
    const conflict = this.#conflict(error);
    const isLone = this.#turns.length === 1;
    let own = isLone ? this.#turns[0] : reason instanceof TurnFailure && !transaction.hasFailed ? reason.turn : undefined;
    for (const { share } of this.#turns) share.seal(conflict);
    await transaction.rollBack();
    if (own?.share.entry !== undefined && (await this.#isKnown(own.share.entry))) own = undefined;
    for (const turn of this.#turns) turn.unit.reject(turn === own ? error : conflict);
  }

  /** A rival's effects may be all that it failed of: then the inbox tells it so when it runs alone. */
  #isKnown(entry: InboxEntry): Promise<boolean> {
    return this.#options.isKnown(entry).catch(() => true);
  }

  #watch(): void {
    this.#timer?.cancel();
    if (!this.#isClosed) this.#timer = this.#options.clock.after(SLOW_MS, () => this.#slow());
  }

  /** Waiting for a connection is not slow: others would wait for the same ones. */
  #slow(): void {
    const { clock, onSlow, transaction } = this.#options;
    const { awaited } = transaction;
    const watch = (): void => this.#watch();
    if (awaited !== undefined) return void awaited.then(watch, watch);
    onSlow();
    this.#timer = clock.after(MAX_WAIT_MS - SLOW_MS, () => {
      // One that has nobody waiting for it goes on alone.
      if (this.#done > 0) this.#over.reject(this.#conflict(undefined));
    });
  }

  #conflict(cause: unknown): PostriderError {
    const detail = "it shared a transaction with others, of which one failed or took too long; it runs again alone";
    return fail("PR_STORE_CONFLICT", { store: this.#options.store, during: "a shared transaction", detail }, { cause });
  }
}

/** Whose turn failed, and of what. */
class TurnFailure extends Error {
  readonly turn: Turn;
  readonly error: unknown;

  constructor(turn: Turn, error: unknown) {
    super("a turn failed");
    this.turn = turn;
    this.error = error;
  }
}
