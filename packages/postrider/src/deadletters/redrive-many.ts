import type { Clock } from "../base/clock.ts";
import { isPostriderError } from "../base/errors.ts";
import type { DeadLetter } from "../ports/dead-letters.ts";
import type { Store } from "../ports/store.ts";
import { redriveIdOf } from "./redrive.ts";
import type { RedriveVerdict } from "./redrive.ts";
import type { RedriveOptions, RedriveResult } from "./types.ts";

/** A letter to redrive, without its body: there may be very many. */
export interface RedriveTarget {
  readonly store: Store;
  readonly letter: Pick<DeadLetter, "id" | "messageId" | "list" | "redrives">;
}

/** What a redrive of many stands on. */
export interface RedriveManyTools {
  readonly clock: Clock;
  readonly redrive: (target: RedriveTarget) => Promise<RedriveVerdict>;
}

interface Watched extends RedriveTarget {
  readonly untilMs: number;
}

const POLL_MS = 200;
const OUTCOMES_PER_POLL = 50; // bounds the load on the stores, however many are under way

/**
 * Redrives many letters in the order given.
 *
 * States: *canaries* (a few, and nothing goes on before all of them were handled in time), *rest* (the others at a rate, while few enough fail
 * again), *watching* (all redriven, the last outcomes awaited), *ended*. Abort and too many failures lead to the end from anywhere; what was
 * redriven by then runs on, and counts as open as far as its outcome is not known.
 *
 * An outcome is seen in the store: as long as the redrive is held it is open; then it was handled, unless there is a newer letter of it.
 */
export class RedriveRun {
  readonly #tools: RedriveManyTools;
  readonly #canary: number;
  readonly #ratePerSecond: number;
  readonly #stopRatio: number;
  readonly #outcomeTimeoutMs: number;
  readonly #signal: AbortSignal | undefined;
  #watched: Watched[] = [];
  #nextPollMs = 0;
  #redriven = 0;
  #handled = 0;
  #failedAgain = 0;
  #open = 0;

  constructor(options: RedriveOptions, tools: RedriveManyTools) {
    this.#tools = tools;
    this.#canary = options.canary ?? 1;
    this.#ratePerSecond = options.ratePerSecond ?? 50;
    this.#stopRatio = options.stopAtFailureRatio ?? 0.5;
    this.#outcomeTimeoutMs = options.outcomeTimeoutMs ?? 30_000;
    this.#signal = options.signal;
  }

  /** Runs it to its end. */
  async run(targets: readonly RedriveTarget[]): Promise<RedriveResult> {
    for (const target of targets.slice(0, this.#canary)) await this.#redrive(target);
    await this.#watchAll();
    if (this.#isAborted) return this.#result("aborted");
    if (this.#failedAgain + this.#open > 0) return this.#result("canaryFailed");
    const startMs = this.#tools.clock.monotonicMs();
    for (const [index, target] of targets.slice(this.#canary).entries()) {
      await this.#pauseUntil(startMs + (index * 1000) / this.#ratePerSecond);
      if (this.#isAborted) return this.#result("aborted");
      if (this.#hasFailedTooOften) return this.#result("tooManyFailures");
      await this.#redrive(target);
    }
    await this.#watchAll();
    if (this.#isAborted) return this.#result("aborted");
    return this.#result("done");
  }

  get #isAborted(): boolean {
    return this.#signal?.aborted === true;
  }

  get #hasFailedTooOften(): boolean {
    const outcomes = this.#handled + this.#failedAgain;
    return outcomes > 0 && this.#failedAgain / outcomes > this.#stopRatio;
  }

  async #redrive(target: RedriveTarget): Promise<void> {
    if (this.#isAborted) return;
    try {
      // One that somebody else has redriven or purged meanwhile is theirs to watch.
      if ((await this.#tools.redrive(target)) !== "redriven") return;
    } catch (error) {
      if (!isPostriderError(error) || error.retryable) throw error;
      this.#redriven++; // it cannot even be handed back: it stays a letter
      this.#failedAgain++;
      return;
    }
    this.#redriven++;
    this.#watched.push({ ...target, untilMs: this.#tools.clock.monotonicMs() + this.#outcomeTimeoutMs });
  }

  async #watchAll(): Promise<void> {
    while (this.#watched.length > 0 && !this.#isAborted) {
      await this.#poll();
      if (this.#watched.length > 0) await this.#sleep(POLL_MS);
    }
  }

  async #pauseUntil(untilMs: number): Promise<void> {
    if (this.#tools.clock.monotonicMs() >= this.#nextPollMs) await this.#poll();
    await this.#sleep(untilMs - this.#tools.clock.monotonicMs());
  }

  async #sleep(delayMs: number): Promise<void> {
    if (delayMs <= 0) return;
    await this.#tools.clock.sleep(delayMs, this.#signal).catch(() => undefined); // an abort is seen by who asks for it next
  }

  async #poll(): Promise<void> {
    const nowMs = this.#tools.clock.monotonicMs();
    this.#nextPollMs = nowMs + POLL_MS;
    const still: Watched[] = [];
    for (const watched of this.#watched.splice(0, OUTCOMES_PER_POLL)) {
      const outcome = await outcomeOf(watched);
      if (outcome === "handled") this.#handled++;
      else if (outcome === "failedAgain") this.#failedAgain++;
      else if (nowMs >= watched.untilMs) this.#open++;
      else still.push(watched);
    }
    this.#watched.push(...still);
  }

  #result(stopped: RedriveResult["stopped"]): RedriveResult {
    return {
      redriven: this.#redriven,
      handled: this.#handled,
      failedAgain: this.#failedAgain,
      open: this.#open + this.#watched.length,
      stopped,
    };
  }
}

async function outcomeOf({ store, letter }: RedriveTarget): Promise<"handled" | "failedAgain" | "open"> {
  // First whether it has gone, then whether it came back: it goes and comes back in one commit, so this order sees no gap.
  const isUnderWay =
    letter.list === "unsent" ? (await store.outbox.depth()) > 0 : (await store.held.get(redriveIdOf(letter.id))) !== undefined;
  if (isUnderWay) return "open";
  const letters = await store.deadLetters.list({ messageId: letter.messageId }, { limit: 100 });
  const cameBack = letters.some((other) =>
    letter.list === "unsent" ? other.list === "unsent" && other.id > letter.id : other.redrives > letter.redrives,
  );
  return cameBack ? "failedAgain" : "handled";
}
