import { deferred, isPromise } from "../base/deferred.ts";
import type { MaybePromise } from "../base/deferred.ts";
import { fail } from "../base/errors.ts";
import { attempt } from "./attempt.ts";
import type { AttemptOptions, Outcome } from "./attempt.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { logFailure } from "./failure-line.ts";
import { giveUp } from "./give-up.ts";
import { askAhead, asksInbox, mayAskAhead } from "./inbox-question.ts";
import { KeyGate } from "./key-gate.ts";
import type { LaneState } from "./lane-state.ts";
import { failureOf } from "./policy.ts";
import type { Failure } from "./policy.ts";
import { OpenSet } from "./open-set.ts";
import type { Parking } from "./parking.ts";
import type { Runtime } from "./runtime.ts";
import { isLeaseLost } from "./settlement.ts";
import type { Settlement } from "./settlement.ts";
import type { StartLedger } from "./starts.ts";
import type { StoreWatch } from "./store-watch.ts";
import { Twins } from "./twins.ts";
import type { Runner, Work } from "./work.ts";
import type { MessageOutcome } from "../ports/telemetry.ts";

/** What a floor stands on. */
export interface WorkFloorOptions {
  readonly runtime: Runtime;
  readonly settlement: Settlement;
  readonly dispatcher: Dispatcher<Work>;
  readonly starts: StartLedger | undefined;
  readonly attempt: Omit<AttemptOptions, "onHandlerDone">;
  readonly parking: Parking;
  readonly storeWatch: StoreWatch;
}

/** Where the work of one consumer is done: one message of a key at a time, as many keys as the service allows. */
export class WorkFloor implements Runner {
  /** Set by the consumer: something was held until then. */
  onHeld: (dueAt: number) => void = () => undefined;
  /** Set by the consumer: a work has ended. */
  onEnded: (work: Work) => void = () => undefined;
  readonly #options: WorkFloorOptions;
  readonly #attempt: AttemptOptions;
  readonly #gate = new KeyGate<Work>();
  /** What has not ended. */
  readonly #open = new OpenSet<Work>();
  readonly #twins = new Twins();
  #lastEndedAt: number;

  constructor(options: WorkFloorOptions) {
    this.#options = options;
    this.#attempt = { ...options.attempt, onHandlerDone: (work) => this.#freePlace(work) };
    this.#lastEndedAt = options.runtime.clock.monotonicMs();
    options.parking.turnBack = (lane, key) => this.#turnBack(lane, key);
  }

  /** When a work ended last, on the monotonic clock. */
  get lastEndedAt(): number {
    return this.#lastEndedAt;
  }

  get running(): number {
    return this.#open.filter((work) => work.state === "running").length;
  }

  /** Takes a work on: it starts when its key and a place are free. */
  enter(work: Work): void {
    this.#open.add(work);
    const asksAhead = mayAskAhead(this.#attempt, work) && this.#twins.enter(work);
    if (this.#gate.enter(work)) this.#options.dispatcher.add(work);
    if (asksAhead && work.state === "waiting") askAhead(this.#attempt, work);
  }

  /** Runs a work to its end; called by the dispatcher. Never throws nor rejects. */
  run(work: Work): void {
    const startedAt = this.#options.runtime.clock.monotonicMs();
    work.isProbe = this.#options.dispatcher.isOut;
    work.hasPlace = true;
    const outcome = this.#mustWait(work) ? this.#attemptInTurn(work) : attempt(this.#attempt, work);
    if (!isPromise(outcome) && outcome?.kind === "handled") {
      this.#handled(work, startedAt);
      this.#finish(work);
    } else {
      void this.#settleAndFinish(work, outcome, startedAt);
    }
  }

  /** A lane goes: what waits is given back, what runs may end until the deadline, then it is interrupted. */
  async leave(state: LaneState, deadlineMs: number): Promise<void> {
    state.isLeaving = true;
    const isOfLane = (work: Work): boolean => work.lane === state;
    for (const work of this.#gate.evict(isOfLane)) this.#giveBackWaiting(work);
    // These have passed the gate: their keys must be free for when the lane comes back.
    for (const work of this.#options.dispatcher.evict(isOfLane)) {
      this.#giveBackWaiting(work);
      this.#letNextPass(work);
    }
    this.#options.storeWatch.release(isOfLane);
    await this.#drain(this.runningOf(state), deadlineMs);
  }

  /** What of a lane may have begun and has not ended. */
  runningOf(lane: LaneState): Work[] {
    return this.#open.filter((work) => work.lane === lane && work.state === "running");
  }

  /** Interrupts what has run over its time. Called now and then. */
  checkTimeLimits(): void {
    const nowMs = this.#options.runtime.clock.monotonicMs();
    for (const work of this.#open.filter(({ state }) => state === "running")) {
      if (!work.isOverdue(nowMs) || work.interrupt === undefined) continue;
      const { definition } = work.ready;
      const limitMs = this.#attempt.timeoutMsOf(work);
      work.interrupt(fail("PR_HANDLER_TIMEOUT", { contract: definition.contract.name, service: this.#options.runtime.service, limitMs }));
    }
  }

  /** Interrupts all that runs, as at the end of a drain. */
  interruptAll(): void {
    for (const work of this.#open.filter(({ state }) => state === "running"))
      work.interrupt?.(fail("PR_SHUTDOWN", { during: `a handler of ${this.#options.runtime.service}` }));
  }

  async #settleAndFinish(work: Work, running: MaybePromise<Outcome | undefined>, startedAt: number): Promise<void> {
    try {
      const outcome = await running;
      if (outcome?.kind === "storeAway") return this.#outwait(work);
      if (outcome !== undefined) await this.#settle(work, outcome, startedAt);
    } catch (error) {
      return this.#unsettled(work, error);
    }
    this.#finish(work);
  }

  /** Whether anything must be known, or awaited, before the handler may start. */
  #mustWait(work: Work): boolean {
    return work.isSuspect || this.#options.parking.mustPark(work) || asksInbox(this.#attempt, work);
  }

  /** Waits for what a work must wait for, then runs it; undefined when it was parked or given up instead. */
  async #attemptInTurn(work: Work): Promise<Outcome | undefined> {
    const { starts, parking } = this.#options;
    if (work.isSuspect && starts !== undefined && (await starts.admit(work)) === "poison")
      return void (await this.#buryPoison(work, starts));
    if (parking.mustPark(work) && (await parking.park(work))) return undefined;
    if (asksInbox(this.#attempt, work)) await this.#twins.wait(work);
    // While it waited its lane may have begun to leave: then it has not started, and does not.
    return work.lane.isLeaving ? { kind: "interrupted" } : attempt(this.#attempt, work);
  }

  #handled(work: Work, startedAt: number): void {
    const { dispatcher, runtime } = this.#options;
    dispatcher.report(undefined, work.isProbe);
    this.#count(work, "handled", runtime.clock.monotonicMs() - startedAt);
  }

  async #settle(work: Work, outcome: Exclude<Outcome, { readonly kind: "storeAway" }>, startedAt: number): Promise<void> {
    const { dispatcher, runtime } = this.#options;
    const durationMs = runtime.clock.monotonicMs() - startedAt;
    switch (outcome.kind) {
      case "handled":
        return this.#handled(work, startedAt);
      case "repeated":
        await this.#options.settlement.settle(work);
        return this.#count(work, "repeated", durationMs);
      case "interrupted":
        await this.#interrupted(work);
        return this.#count(work, "givenBack", durationMs);
      case "conflicting":
        await giveUp(this.#options, work, "quarantined", failureOf(fail("PR_ID_CONFLICT", { id: work.ready.inboxId })));
        return this.#count(work, "quarantined", durationMs);
      case "giveUp":
        dispatcher.report(outcome.failure.code, work.isProbe);
        return this.#giveUp(work, outcome.failure, durationMs);
      case "retryLater": {
        const wasOut = dispatcher.isOut && !work.isProbe;
        dispatcher.report(outcome.failure.code, work.isProbe);
        if (wasOut) work.failures = work.held?.failures ?? 0; // an outage burns no attempts but the probe's
        await this.#options.settlement.retryLater(work, runtime.clock.now() + outcome.delayMs);
        logFailure(this.#options.runtime, work, outcome.failure, `runs again in ${outcome.delayMs} ms`);
        return this.#count(work, "retried", durationMs);
      }
    }
  }

  async #giveUp(work: Work, failure: Failure, durationMs: number): Promise<void> {
    await giveUp(this.#options, work, "failed", failure);
    this.#count(work, "dead", durationMs);
  }

  #buryPoison(work: Work, { maxStarts }: StartLedger): Promise<void> {
    const { envelope, definition } = work.ready;
    return this.#giveUp(work, failureOf(fail("PR_POISON", { id: envelope.id, contract: definition.contract.name, starts: maxStarts })), 0);
  }

  /** Its own process is stopping, or its lane is gone: no failure. What is still ours goes back. */
  async #interrupted(work: Work): Promise<void> {
    const { runtime } = this.#options;
    if (work.held !== undefined) await runtime.store?.held.giveBack([work.held]);
    else await work.delivery!.giveBack();
  }

  /** The run ended and could not be settled: nothing was lost. It runs again here, if its lane is still ours; else it comes again. */
  async #unsettled(work: Work, error: unknown): Promise<void> {
    const { runtime, storeWatch } = this.#options;
    const { service, clock } = runtime;
    work.failures = work.held?.failures ?? 0; // what could not be written down has not happened
    if (storeWatch.blames(error)) return this.#outwait(work);
    if (isLeaseLost(error)) return this.#comeAgain(work);
    runtime.logger.error({ err: error, service, messageId: work.ready.envelope.id }, "a message could not be settled; it runs again");
    // The store is in trouble; at once again would only spin.
    if (!work.lane.isGone) await clock.sleep(UNSETTLED_WAIT_MS).catch(() => undefined);
    return work.lane.isLeaving ? this.#comeAgain(work) : this.#runAgain(work);
  }

  /** Its store is away: it waits in its place until that answers, or its lane leaves. */
  #outwait(work: Work): void {
    if (work.lane.isLeaving) return void this.#comeAgain(work);
    this.#options.starts?.waits(work);
    this.#options.storeWatch.wait(work, (isBack) => (isBack ? this.#runAgain(work) : void this.#comeAgain(work)));
  }

  /** Given back it would come again behind those of its key that wait here: so it keeps its key, and nobody passes. */
  #runAgain(work: Work): void {
    this.#leaveRun(work);
    work.state = "waiting";
    this.#options.dispatcher.addFirst(work);
    this.#freePlace(work);
    this.#options.dispatcher.pump();
  }

  async #comeAgain(work: Work): Promise<void> {
    await this.#interrupted(work).catch(() => undefined); // a transport or store that is gone hands it over again by itself
    this.#finish(work);
  }

  /** The run is over, whatever becomes of its message. */
  #leaveRun(work: Work): void {
    if (work.isProbe) this.#options.dispatcher.probeEnded();
    if (work.isSuspect) this.#options.starts?.survived(work);
    this.#twins.leave(work);
  }

  #finish(work: Work): void {
    this.#leaveRun(work);
    this.#lastEndedAt = this.#options.runtime.clock.monotonicMs();
    if (work.unblocksKey) this.#options.parking.unblock(work);
    this.#open.delete(work);
    this.#twins.forget(work);
    work.end();
    this.onEnded(work);
    this.#letNextPass(work);
    this.#freePlace(work);
  }

  #letNextPass(work: Work): void {
    const next = this.#gate.leave(work);
    if (next !== undefined) this.#options.dispatcher.add(next);
  }

  /** The handler is done; what is left is the commit, which needs no place. */
  #freePlace(work: Work): void {
    if (!work.hasPlace) return;
    work.hasPlace = false;
    work.deadlineAt = 0;
    this.#options.dispatcher.release();
  }

  /** What was held before has its own way back: it is what the others wait for. */
  #turnBack(lane: LaneState, key: string): void {
    const isBehind = (work: Work): boolean => work.lane === lane && work.key === key && work.held === undefined;
    for (const work of this.#gate.evict(isBehind)) this.#giveBackWaiting(work);
  }

  #giveBackWaiting(work: Work): void {
    void this.#interrupted(work).catch(() => undefined); // a transport or store that is gone hands it over again by itself
    this.#open.delete(work);
    this.#twins.forget(work);
    work.end();
    this.onEnded(work);
  }

  async #drain(works: readonly Work[], deadlineMs: number): Promise<void> {
    if (works.length === 0) return;
    const { clock, runtime } = { clock: this.#options.runtime.clock, runtime: this.#options.runtime };
    const ended = Promise.all(works.map((work) => (work.ended ??= deferred()).promise));
    const timer = clock.after(deadlineMs, () => {
      for (const work of works) work.interrupt?.(fail("PR_SHUTDOWN", { during: `a handler of ${runtime.service}` }));
    });
    await ended;
    timer.cancel();
  }

  #count(work: Work, outcome: MessageOutcome, durationMs: number): void {
    const { runtime } = this.#options;
    runtime.telemetry.settled(runtime.service, work.ready.definition.contract.name, outcome, durationMs);
  }
}

const UNSETTLED_WAIT_MS = 250;
