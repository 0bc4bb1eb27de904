import { backoffMs } from "../base/backoff.ts";
import type { BackoffOptions } from "../base/backoff.ts";
import { fail, isPostriderError, presentable } from "../base/errors.ts";
import { isPromise } from "../base/deferred.ts";
import type { MaybePromise } from "../base/deferred.ts";
import type { Once } from "../effects/once.ts";
import type { InboxEntry } from "../ports/inbox.ts";
import type { RetryPolicy } from "../pipeline/service.ts";
import { within } from "./around.ts";
import { RunContext } from "./handler-context.ts";
import { inboxEntryOf, saidAhead } from "./inbox-question.ts";
import type { InboxOptions } from "./inbox-question.ts";
import { decide, failureOf } from "./policy.ts";
import type { Failure } from "./policy.ts";
import type { Runtime } from "./runtime.ts";
import { isLeaseLost } from "./settlement.ts";
import { InboxRefusal, UnitOfWork } from "./unit-of-work.ts";
import type { Work } from "./work.ts";

/** What became of a run. */
export type Outcome =
  | { readonly kind: "handled" | "repeated" | "interrupted" }
  | { readonly kind: "conflicting" }
  | { readonly kind: "storeAway" }
  | { readonly kind: "retryLater"; readonly delayMs: number; readonly failure: Failure }
  | { readonly kind: "giveUp"; readonly failure: Failure };

/** What an attempt stands on. */
export interface AttemptOptions extends InboxOptions {
  readonly once: Once | undefined;
  readonly policyOf: (work: Work) => RetryPolicy;
  readonly timeoutMsOf: (work: Work) => number;
  /** Whether units of work of a backlog may share a transaction. */
  readonly sharedTransactions: boolean;
  /** Whether something failed because the store is away. */
  readonly isStoreAway: (error: unknown) => boolean;
  /** Called once the handler has ended well and only the commit is left. */
  readonly onHandlerDone: (work: Work) => void;
}

// A transaction that lost to another has not failed: it runs again, and no attempt is counted. Where it loses for seconds on end, something else is wrong.
const MAX_CONFLICTS = 10;
const CONFLICT_BACKOFF: BackoffOptions = { firstMs: 5, factor: 2, maxMs: 1000, jitter: 1 };

// Nor has one whose store was away. But a message that loses its connection each time, or makes the server end, is itself to blame.
const MAX_STORE_LOSSES = 10;

const HANDLED: Outcome = { kind: "handled" };
const REPEATED: Outcome = { kind: "repeated" };
const INTERRUPTED: Outcome = { kind: "interrupted" };
const CONFLICTING: Outcome = { kind: "conflicting" };
const STORE_AWAY: Outcome = { kind: "storeAway" };

/** How one run ended. */
type Ended = Outcome | { readonly kind: "failed"; readonly failure: Failure };

/**
 * Runs a message's handler within its unit of work, again at once where the policy says so, and says what became of it. Never throws nor rejects.
 *
 * Ends at once where the handler does and there is nothing to write: most of what a busy service handles costs no promise here.
 */
export function attempt(options: AttemptOptions, work: Work): MaybePromise<Outcome> {
  const inbox = inboxEntryOf(options, work);
  if (inbox !== undefined) return attemptUnlessDone(options, work, inbox);
  const ended = runOnce(options, work, undefined);
  return isPromise(ended) || ended.kind === "failed" ? persist(options, work, undefined, ended) : ended;
}

async function attemptUnlessDone(options: AttemptOptions, work: Work, inbox: InboxEntry): Promise<Outcome> {
  const said = saidAhead(options.runtime.clock, work);
  const verdict = (said === undefined ? undefined : await said) ?? (await options.runtime.store!.inbox.check(inbox));
  if (verdict === "repeated") return REPEATED;
  return verdict === "conflicting" ? CONFLICTING : persist(options, work, inbox, runOnce(options, work, inbox));
}

async function persist(options: AttemptOptions, work: Work, inbox: InboxEntry | undefined, first: MaybePromise<Ended>): Promise<Outcome> {
  const policy = options.policyOf(work);
  let conflicts = 0;
  for (let ended = await first; ; ended = await runOnce(options, work, inbox)) {
    if (ended.kind !== "failed") return ended;
    const { failure } = ended;
    if (work.storeLosses < MAX_STORE_LOSSES && options.isStoreAway(failure.error)) {
      work.storeLosses++;
      return STORE_AWAY;
    }
    if (isPostriderError(failure.error, "PR_STORE_CONFLICT") && conflicts < MAX_CONFLICTS) {
      conflicts++;
      // Where it had company that may have been the reason: alone it may run at once.
      if (!mayShare(options, work) && !(await waited(options, work, backoffMs(CONFLICT_BACKOFF, conflicts, options.runtime.random))))
        return INTERRUPTED;
      work.runsAlone = true;
      continue;
    }
    work.failures++;
    work.runsAlone = true;
    work.firstFailedAt ??= options.runtime.clock.now();
    const decision = decide(policy, failure, work.failures, options.runtime.random);
    if (decision.do === "giveUp") return { kind: "giveUp", failure };
    if (decision.do === "retryLater") {
      if (options.runtime.store !== undefined) return { kind: "retryLater", delayMs: decision.delayMs, failure };
      // Without a store there is nowhere to wait but here, in place; a stop gives the message back.
      if (!(await waited(options, work, decision.delayMs))) return INTERRUPTED;
    }
    logRetry(options.runtime, work, failure);
  }
}

/** Waits in place for the next run; false when the wait was interrupted. */
function waited(options: AttemptOptions, work: Work, delayMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = options.runtime.clock.after(delayMs, () => resolve(true));
    work.deadlineAt = 0;
    work.interrupt = () => {
      timer.cancel();
      resolve(false);
    };
  });
}

/** One run, with what it writes. Of a class for the reason given at {@link listOf}. */
class Run {
  readonly work: Work;
  readonly unit: UnitOfWork;
  readonly context: RunContext;
  /** Whether only the transport must be told, if the handler has written nothing. */
  readonly settlesAlone: boolean;

  constructor(options: AttemptOptions, work: Work, inbox: InboxEntry | undefined) {
    const { runtime, settlement, once } = options;
    this.work = work;
    this.unit = new UnitOfWork(runtime, inbox, settlement.settlingOf(work), mayShare(options, work));
    this.context = new RunContext(runtime, work, this.unit, once);
    this.settlesAlone = work.held === undefined && inbox === undefined;
  }
}

function runOnce(options: AttemptOptions, work: Work, inbox: InboxEntry | undefined): MaybePromise<Ended> {
  const run = new Run(options, work, inbox);
  try {
    const called = callHandler(options, run);
    if (called !== undefined || !isQuiet(run)) return finish(options, run, called);
    handlerDone(options, run);
    settleQuietly(options, work, run.unit);
    return HANDLED;
  } catch (thrown) {
    return abandon(options, run, thrown);
  }
}

async function finish(options: AttemptOptions, run: Run, called: Promise<void> | void): Promise<Ended> {
  try {
    if (called !== undefined) await called;
    handlerDone(options, run);
    if (isQuiet(run)) {
      settleQuietly(options, run.work, run.unit);
      return HANDLED;
    }
    await run.unit.complete();
    // The ack must follow the commit: before it, a crash between the two would lose the message.
    const settled = options.settlement.isInside(run.work) ? undefined : run.work.delivery!.ack();
    if (isPromise(settled)) await settled;
    return HANDLED;
  } catch (thrown) {
    return abandon(options, run, thrown);
  }
}

async function abandon({ isStoreAway }: AttemptOptions, { unit, context }: Run, reason: unknown): Promise<Ended> {
  const thrown = presentable(reason);
  context.abort(thrown);
  const fallen = await unit.abandon(thrown);
  const isOfAnother = fallen !== undefined && ((unit.mayShare && isPostriderError(fallen, "PR_STORE_CONFLICT")) || isStoreAway(fallen));
  if (isOfAnother && !isInterruption(thrown) && !isPostriderError(thrown, "PR_HANDLER_TIMEOUT"))
    return { kind: "failed", failure: failureOf(fallen) };
  if (thrown instanceof InboxRefusal) return thrown.verdict === "repeated" ? REPEATED : CONFLICTING;
  if (isInterruption(thrown)) return INTERRUPTED;
  return { kind: "failed", failure: failureOf(thrown) };
}

/** Whether the run was ended from outside, and counts for nothing. */
function isInterruption(thrown: unknown): boolean {
  return isLeaseLost(thrown) || isPostriderError(thrown, "PR_SHUTDOWN");
}

/**
 * Whether its transaction may be shared with others. What has failed, or has probably ended a process, is alone: nobody else's effects hang on it.
 *
 * A suspect that runs beside others shares as they do: after a crash there are thousands of them, of which one at most is to blame.
 */
function mayShare({ sharedTransactions }: AttemptOptions, work: Work): boolean {
  return sharedTransactions && !work.runsAlone && work.held === undefined && !work.isProbe;
}

function isQuiet({ unit, settlesAlone }: Run): boolean {
  return settlesAlone && !unit.isOpen && unit.isEmpty;
}

function handlerDone(options: AttemptOptions, { work, context }: Run): void {
  requireReply(options.runtime, work, context);
  options.onHandlerDone(work);
}

function callHandler(options: AttemptOptions, { work, unit, context }: Run): Promise<void> | void {
  const { definition, envelope, body } = work.ready;
  const returned = options.runtime.telemetry.within(envelope, options.runtime.service, () =>
    within(context, () => definition.handler(body as never, context)),
  );
  if (!isPromise(returned)) return;
  const limitMs = options.timeoutMsOf(work);
  work.unit = unit;
  work.deadlineAt = limitMs > 0 ? options.runtime.clock.monotonicMs() + limitMs : 0;
  return new Promise((resolve, reject) => {
    work.interrupt = (reason) => {
      context.abort(reason);
      reject(reason);
    };
    returned.then(() => resolve(), reject);
  });
}

/** A handler that did nothing to commit: the transport settles by itself, grouped with others. */
function settleQuietly(options: AttemptOptions, work: Work, unit: UnitOfWork): void {
  unit.seal();
  options.settlement.settleQuietly(work.delivery!);
}

function requireReply(runtime: Runtime, work: Work, context: RunContext): void {
  const { contract } = work.ready.definition;
  if (contract.reply !== undefined && !context.hasReplied)
    throw fail("PR_REPLY_MISSING", { contract: contract.name, service: runtime.service });
}

function logRetry(runtime: Runtime, work: Work, failure: Failure): void {
  const { envelope, definition } = work.ready;
  const ids = { messageId: envelope.id, correlationId: envelope.correlationid, conversationId: envelope.conversationid };
  runtime.logger.info(
    { service: runtime.service, contract: definition.contract.name, code: failure.code, failures: work.failures, ...ids },
    `a handler failed and runs again at once: ${failure.reason}`,
  );
}
