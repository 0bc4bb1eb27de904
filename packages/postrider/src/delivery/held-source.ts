import type { Clock, Timer } from "../base/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { ClaimedHeld, HeldReader } from "../ports/held.ts";

/** What a source of held messages needs. */
export interface HeldSourceOptions {
  readonly held: HeldReader;
  readonly destination: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The lanes that are ours; undefined where nobody owns lanes. */
  readonly lanes: () => readonly number[] | undefined;
  /** How many more may be taken now. */
  readonly room: () => number;
  readonly take: (claimed: ClaimedHeld) => void;
}

const POLL_MS = 1000; // for what other processes put there: redrives and purges
const CLAIM_MS = 5000; // no longer than a lane's lease, so that a takeover finds it free
const BATCH = 100;

/** Hands over what the store holds for one destination of a service, once it is due. Looks at due times, and now and then in any case. */
export class HeldSource {
  readonly #options: HeldSourceOptions;
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #isPolling = false;
  #isDirty = false;
  #isStopped = false;

  constructor(options: HeldSourceOptions) {
    this.#options = options;
  }

  /** Something is due then, or may be due now. */
  wake(dueAt: number = this.#options.clock.now()): void {
    if (this.#isStopped || dueAt >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = dueAt;
    this.#timer = this.#options.clock.after(Math.max(0, dueAt - this.#options.clock.now()), () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      void this.#poll();
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  async #poll(): Promise<void> {
    if (this.#isPolling) {
      this.#isDirty = true; // what came while we looked is looked at again
      return;
    }
    this.#isPolling = true;
    let nextAt: number | undefined;
    try {
      do {
        this.#isDirty = false;
        nextAt = await this.#look();
      } while (this.#isDirty && !this.#isStopped);
    } catch (error) {
      this.#options.logger.warn(
        { err: error, destination: this.#options.destination },
        "held messages could not be read; tried again soon",
      );
    }
    this.#isPolling = false;
    const { clock } = this.#options;
    this.wake(Math.min(clock.now() + POLL_MS, nextAt ?? Number.POSITIVE_INFINITY));
  }

  /** Takes what is due. Returns when to look again. As a rule nothing is held, and to ask for that costs less than a claim. */
  async #look(): Promise<number | undefined> {
    const { held, clock } = this.#options;
    const dueAt = await held.nextDueAt();
    if (dueAt === undefined || dueAt > clock.now() + MAX_SKEW_MS) return dueAt;
    if (await this.#claim()) return clock.now() + 1;
    // What is due but not ours, or already claimed, must not make us spin.
    return Math.max(clock.now() + MIN_WAIT_MS, (await held.nextDueAt()) ?? Number.POSITIVE_INFINITY);
  }

  /** Claims a batch; whether there may be more. */
  async #claim(): Promise<boolean> {
    const { held, destination, lanes, room, take } = this.#options;
    const limit = Math.min(BATCH, room());
    const owned = lanes();
    if (limit <= 0 || owned?.length === 0) return false;
    const claimed = await held.claimDue({ destination, lanes: owned, limit, leaseMs: CLAIM_MS });
    if (this.#isStopped) await held.giveBack(claimed);
    else for (const entry of claimed) take(entry);
    return claimed.length === limit;
  }
}

const MIN_WAIT_MS = 20;
const MAX_SKEW_MS = 60_000; // by which the store's clock, which says what is due, may be ahead of ours
