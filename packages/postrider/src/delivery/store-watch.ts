import { backoffMs } from "../base/backoff.ts";
import type { BackoffOptions } from "../base/backoff.ts";
import type { Timer } from "../base/clock.ts";
import type { Runtime } from "./runtime.ts";
import type { Work } from "./work.ts";

/** What a watch stands on. */
export interface StoreWatchOptions {
  readonly runtime: Pick<Runtime, "service" | "store" | "clock" | "random" | "logger" | "alert">;
  /** Called when everything may start again. */
  readonly onAnswered: () => void;
}

/** Told whether the store answers again; else there is nothing more to wait for. */
type WhenOver = (isBack: boolean) => void;

const PROBE_BACKOFF: BackoffOptions = { firstMs: 50, factor: 2, maxMs: 1000 };
const MAX_CAUSES = 8; // of one error: libraries wrap what they pass on

/**
 * Knows whether a service's store is away, and keeps what failed because of that in its place until it answers.
 *
 * States: *well*; an error that says so leads to *in doubt*: what failed waits, and the store is asked soon; where it does not answer it is *away*: nothing starts any more, people are told, and it is asked
 * again and again, at most a second apart. Its answer leads back, and lets all go on that wait.
 */
export class StoreWatch {
  readonly #options: StoreWatchOptions;
  readonly #waiting = new Map<Work, WhenOver>();
  #timer: Timer | undefined;
  #probes = 0;
  #isProbing = false;
  #isAway = false;
  #isReleasing = false;
  #isStopped = false;

  constructor(options: StoreWatchOptions) {
    this.#options = options;
  }

  /** Whether the store did not answer when it was asked last. */
  get isAway(): boolean {
    return this.#isAway;
  }

  /** Whether nothing may start now. */
  get holdsAll(): boolean {
    return this.#isAway || this.#isReleasing;
  }

  /** Whether something failed because the store is away: the error says so, or one that it was made of. */
  blames(error: unknown): boolean {
    const { store } = this.#options.runtime;
    if (store?.isAway === undefined) return false;
    try {
      let cause = error;
      for (let depth = 0; depth < MAX_CAUSES && cause instanceof Error; depth++, cause = cause.cause) if (store.isAway(cause)) return true;
    } catch {
      // whatever it is that throws when it is looked at: not the store's
    }
    return false;
  }

  /** Keeps a work where it is. `whenOver` is called once: when the store answers, or when the work is interrupted or released. */
  wait(work: Work, whenOver: WhenOver): void {
    work.deadlineAt = 0;
    work.interrupt = () => this.#end(work, false);
    this.#waiting.set(work, whenOver);
    this.#probeLater();
  }

  /** Lets go of what waits and fits. */
  release(fits: (work: Work) => boolean): void {
    for (const work of [...this.#waiting.keys()].filter(fits)) this.#end(work, false);
  }

  /** Asks no more. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #end(work: Work, isBack: boolean): void {
    const whenOver = this.#waiting.get(work);
    if (whenOver === undefined) return;
    this.#waiting.delete(work);
    work.interrupt = undefined;
    whenOver(isBack);
  }

  #probeLater(): void {
    if (this.#timer !== undefined || this.#isProbing || this.#isStopped) return;
    const { clock, random } = this.#options.runtime;
    this.#timer = clock.after(backoffMs(PROBE_BACKOFF, ++this.#probes, random), () => void this.#probe());
  }

  async #probe(): Promise<void> {
    this.#timer = undefined;
    this.#isProbing = true;
    const failure = await this.#ask();
    this.#isProbing = false;
    if (failure === undefined) return this.#answered();
    if (!this.#isAway && !this.#isStopped) this.#tell("outage", "cannot reach its store; what needs it waits in its place", failure);
    this.#isAway = true;
    this.#probeLater();
  }

  /** Why the store did not answer; undefined when it did. */
  async #ask(): Promise<unknown> {
    try {
      await this.#options.runtime.store!.now();
      return undefined;
    } catch (error) {
      return error;
    }
  }

  #answered(): void {
    const wasAway = this.#isAway;
    this.#probes = 0;
    this.#isAway = false;
    // Each puts itself before all others: the last one first, and nobody starts before all are there.
    this.#isReleasing = true;
    for (const work of [...this.#waiting.keys()].toReversed()) this.#end(work, true);
    this.#isReleasing = false;
    if (wasAway) this.#tell("outageOver", "reaches its store again; what waited for it goes on");
    this.#options.onAnswered();
  }

  #tell(kind: "outage" | "outageOver", what: string, error?: unknown): void {
    const { service, logger, alert } = this.#options.runtime;
    const text = `${service} ${what}`;
    logger.warn({ service, ...(error === undefined ? {} : { err: error }) }, text);
    alert({ kind, service, text });
  }
}
