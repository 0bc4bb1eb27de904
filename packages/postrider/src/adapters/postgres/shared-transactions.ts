import type { MaybePromise } from "../../base/deferred.ts";
import type { StoreTransaction } from "../../ports/store.ts";
import { SharedFlight } from "./shared-flight.ts";
import type { FlightOptions, Landing, SharingUnit } from "./shared-flight.ts";
import { PgTransaction } from "./transaction.ts";
import type { TransactionPlace } from "./transaction.ts";

/** What sharing needs of its store. */
export interface SharingOptions {
  readonly place: TransactionPlace;
  readonly onCommitted: (transaction: PgTransaction) => void;
  /** See {@link FlightOptions.isKnown}. */
  readonly isKnown: FlightOptions["isKnown"];
  /** How many transactions the database has places for. */
  readonly places: number;
}

// Flights that are not slow: more of them share less. Three keep the server busy while one waits for the disk (2 cores, November 2026).
const MAX_BRISK_FLIGHTS = 3;
// Handlers that wait for something else than the server, on average longer than this: turns one after another would add up what they can wait for side by side.
// Less is what a process waits for its turn on a busy machine (0.3 to 1.2 ms with 26 that could run on 2 cores, November 2026).
const MAX_IDLE_MS = 3;
const IDLE_WEIGHT = 0.1; // of the last one in the average
const PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 60_000;
const WELL_SHARED = 200; // units, after which a fall is an accident again
const TERSE_MIN = 64; // units with one statement each, before the next ones may overlap; twice as many after each fall
const TERSE_MAX = 100_000;

/**
 * Runs units of work of a backlog several to a transaction.
 *
 * While there are fewer than places each begins at once, alone in its transaction: nobody waits for another's. Of more, some wait for a moment, and take their turns one after another in one
 * that is under way: see {@link SharedFlight}. Nobody does where handlers wait for other things within their turns. After one that came to nothing nobody shares for a while, longer each time.
 */
export class SharedTransactions {
  readonly #options: SharingOptions;
  readonly #waiting: SharingUnit[] = [];
  readonly #flying = new Set<PgTransaction>();
  #units = 0; // that wait or are under way
  #brisk = 0;
  #idleMs = 0; // of a unit, on average
  #pauseMs = 0;
  #pausedUntilMs = 0;
  #sharedWell = 0;
  #terse = 0;
  #terseNeeded = TERSE_MIN;

  constructor(options: SharingOptions) {
    this.#options = options;
  }

  /** Resolves once it is committed. @throws PR_STORE_CONFLICT where it must run again alone; what `work` throws */
  transact<Result>(work: (transaction: StoreTransaction) => MaybePromise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#units++;
      this.#waiting.push({ work, resolve: resolve as SharingUnit["resolve"], reject });
      this.#start();
    });
  }

  get #isPaused(): boolean {
    if (this.#idleMs > MAX_IDLE_MS) return true;
    return this.#pausedUntilMs > 0 && this.#options.place.clock.monotonicMs() < this.#pausedUntilMs;
  }

  #start(): void {
    while (this.#waiting.length > 0 && this.#mayBegin) void this.#fly(this.#waiting.shift()!);
  }

  /** Who begins where all places are taken would only wait, bound to a transaction that nobody else has a turn in until then. */
  get #mayBegin(): boolean {
    const { places } = this.#options;
    if (this.#flying.size >= places && [...this.#flying].filter(({ awaited }) => awaited !== undefined).length >= places) return false;
    return this.#units < places || this.#brisk < MAX_BRISK_FLIGHTS || this.#isPaused;
  }

  async #fly(first: SharingUnit): Promise<void> {
    const { place, onCommitted, isKnown } = this.#options;
    const { store, service, clock } = place;
    let isBrisk = true;
    this.#brisk++;
    const slow = (): void => {
      if (!isBrisk) return;
      isBrisk = false;
      this.#brisk--;
      this.#start();
    };
    const next = (): SharingUnit | undefined => (this.#isPaused ? undefined : this.#waiting.shift());
    const waiting = (): number => this.#waiting.length;
    const overlaps = this.#terse >= this.#terseNeeded;
    const transaction = new PgTransaction(place);
    this.#flying.add(transaction);
    const flight = new SharedFlight({ store, service, clock, transaction, overlaps, next, waiting, onSlow: slow, onCommitted, isKnown });
    const landing = await flight.run(first);
    this.#flying.delete(transaction);
    this.#units -= landing.units;
    this.#judge(landing);
    slow();
    this.#start();
  }

  #judge({ units, hasFallen, isTerse, idleMs }: Landing): void {
    this.#idleMs += (idleMs / units - this.#idleMs) * IDLE_WEIGHT;
    this.#terse = isTerse ? this.#terse + units : 0;
    if (units < 2) return;
    if (hasFallen) {
      this.#pauseMs = this.#pauseMs === 0 ? PAUSE_MIN_MS : Math.min(PAUSE_MAX_MS, this.#pauseMs * 2);
      this.#pausedUntilMs = this.#options.place.clock.monotonicMs() + this.#pauseMs;
      this.#sharedWell = 0;
      if (!isTerse) this.#terseNeeded = Math.min(TERSE_MAX, this.#terseNeeded * 2);
    } else if ((this.#sharedWell += units) >= WELL_SHARED) {
      this.#pauseMs = 0;
    }
  }
}
