import type { Clock } from "../../base/clock.ts";
import type { MaybePromise } from "../../base/deferred.ts";
import type { StoreTransaction } from "../../ports/store.ts";
import { SharedFlight } from "./shared-flight.ts";
import type { Landing, SharingUnit } from "./shared-flight.ts";
import type { PgTransaction } from "./transaction.ts";

/** What sharing needs of its store. */
export interface SharingOptions {
  /** For error texts. */
  readonly store: string;
  readonly service: string;
  readonly clock: Clock;
  readonly begin: () => PgTransaction;
  readonly onCommitted: (transaction: PgTransaction) => void;
}

// Flights that are not slow: more of them share less. Three keep the server busy while one waits for the disk (2 cores, November 2026).
const MAX_BRISK_FLIGHTS = 3;
const PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 60_000;
const WELL_SHARED = 1000; // units, after which a fall is an accident again
const TERSE_MIN = 64; // units with one statement each, before the next ones may overlap; twice as many after each fall
const TERSE_MAX = 100_000;

/**
 * Runs units of work of a backlog several to a transaction.
 *
 * While few are there each begins at once and is alone in its transaction. More wait for a moment, and take their turns one after another in one that is under way: see {@link SharedFlight}.
 * After one that came to nothing nobody shares for a while, longer each time.
 */
export class SharedTransactions {
  readonly #options: SharingOptions;
  readonly #waiting: SharingUnit[] = [];
  #brisk = 0;
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
      this.#waiting.push({ work, resolve: resolve as SharingUnit["resolve"], reject });
      this.#start();
    });
  }

  get #isPaused(): boolean {
    return this.#pausedUntilMs > 0 && this.#options.clock.monotonicMs() < this.#pausedUntilMs;
  }

  #start(): void {
    while (this.#waiting.length > 0 && (this.#brisk < MAX_BRISK_FLIGHTS || this.#isPaused)) void this.#fly(this.#waiting.shift()!);
  }

  async #fly(first: SharingUnit): Promise<void> {
    const { store, service, clock, begin, onCommitted } = this.#options;
    let isBrisk = true;
    this.#brisk++;
    const slow = (): void => {
      if (!isBrisk) return;
      isBrisk = false;
      this.#brisk--;
      this.#start();
    };
    const next = (): SharingUnit | undefined => (this.#isPaused ? undefined : this.#waiting.shift());
    const overlaps = this.#terse >= this.#terseNeeded;
    const landing = await new SharedFlight({ store, service, clock, transaction: begin(), overlaps, next, onSlow: slow, onCommitted }).run(
      first,
    );
    this.#judge(landing);
    slow();
  }

  #judge({ units, hasFallen, isTerse }: Landing): void {
    this.#terse = isTerse ? this.#terse + units : 0;
    if (units < 2) return;
    if (hasFallen) {
      this.#pauseMs = this.#pauseMs === 0 ? PAUSE_MIN_MS : Math.min(PAUSE_MAX_MS, this.#pauseMs * 2);
      this.#pausedUntilMs = this.#options.clock.monotonicMs() + this.#pauseMs;
      this.#sharedWell = 0;
      if (!isTerse) this.#terseNeeded = Math.min(TERSE_MAX, this.#terseNeeded * 2);
    } else if ((this.#sharedWell += units) >= WELL_SHARED) {
      this.#pauseMs = 0;
    }
  }
}
