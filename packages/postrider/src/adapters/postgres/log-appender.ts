import type { Clock, Timer } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import { bodyBytes } from "../../envelope/envelope.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import type { SendOutcome } from "../../ports/transport.ts";
import { appendCall, appendValues, writtenOf } from "./log-batch.ts";
import type { Placed } from "./log-batch.ts";
import type { LogWorld } from "./log-world.ts";
import { isConflict, isConnectionLost, wrapTransportError } from "./vendor-error.ts";

/** What an appender needs besides its transport. */
export interface LogAppenderOptions {
  readonly world: LogWorld;
  /** Unique among all senders. */
  readonly sender: string;
}

/** One send. */
interface SendJob {
  readonly messages: readonly Outgoing[];
  readonly placed: readonly Placed[];
  readonly deadlineMs: number;
  readonly deadlineAtMs: number;
  readonly resolve: (outcome: SendOutcome) => void;
  isOver: boolean;
}

const MAX_MESSAGES = 1000;
const MAX_BYTES = 4 * 1024 * 1024;
const RETRY_MIN_MS = 25;
const RETRY_MAX_MS = 500;
const LOOK_MS = 20;

/**
 * Writes what is sent, in the order of the calls: one statement at a time, and what is sent meanwhile goes with the next.
 *
 * While the database is away it tries again until the deadline of the last sender has passed. A batch has a number that is remembered with it, so that one
 * whose answer got lost is not written twice; a sender that stops waiting for a batch under way is told that its outcome is unknown.
 */
export class LogAppender {
  readonly #options: LogAppenderOptions;
  #queue: SendJob[] = [];
  #flying: readonly SendJob[] = [];
  #running: Promise<void> | undefined;
  #timer: Timer | undefined;
  #number = 0;
  #stopped: PostriderError | undefined;

  constructor(options: LogAppenderOptions) {
    this.#options = options;
  }

  /** Resolves with undefined once all is durable, or with why it is not. Never rejects. */
  append(messages: readonly Outgoing[], placed: readonly Placed[], deadlineMs: number): Promise<SendOutcome> {
    if (this.#stopped !== undefined) return Promise.resolve(this.#stopped);
    return new Promise((resolve) => {
      const deadlineAtMs = this.#clock.monotonicMs() + deadlineMs;
      this.#queue.push({ messages, placed, deadlineMs, deadlineAtMs, resolve, isOver: false });
      this.#running ??= this.#run().finally(() => (this.#running = undefined));
    });
  }

  /** Resolves when nothing is under way. */
  async drained(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Refuses what waits and what comes. */
  stop(error: PostriderError): void {
    this.#stopped = error;
    for (const job of [...this.#flying, ...this.#queue]) end(job, error);
    this.#queue = [];
  }

  get #clock(): Clock {
    return this.#options.world.clock;
  }

  async #run(): Promise<void> {
    this.#watch();
    // What is sent in this turn goes together.
    await this.#clock.yield();
    while (this.#queue.length > 0) {
      this.#flying = this.#takeBatch();
      await this.#write(this.#flying);
      this.#flying = [];
    }
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #takeBatch(): SendJob[] {
    let messages = 0;
    let bytes = 0;
    let jobs = 0;
    for (const job of this.#queue) {
      messages += job.placed.length;
      for (const { message } of job.placed) bytes += bodyBytes(message.body);
      if (jobs > 0 && (messages > MAX_MESSAGES || bytes > MAX_BYTES)) break;
      jobs++;
    }
    return this.#queue.splice(0, jobs).filter(({ isOver }) => !isOver);
  }

  async #write(jobs: readonly SendJob[]): Promise<void> {
    if (jobs.length === 0) return;
    const number = ++this.#number;
    const placed = jobs.flatMap((job) => job.placed);
    const values = appendValues(placed, { sender: this.#options.sender, number }, this.#clock.now());
    for (let waitMs = RETRY_MIN_MS; jobs.some(({ isOver }) => !isOver); waitMs = Math.min(RETRY_MAX_MS, waitMs * 2)) {
      try {
        const { log } = this.#options.world;
        const { rows } = await log.run("append", `select ${appendCall(log.schema, 1)} as appended`, values);
        this.#succeed(jobs, writtenOf(placed, rows[0]!["appended"] as readonly string[] | null));
      } catch (error) {
        if (isConnectionLost(error) || isConflict(error)) await this.#clock.sleep(waitMs);
        else await this.#refused(jobs, error);
      }
    }
  }

  #succeed(jobs: readonly SendJob[], written: ReturnType<typeof writtenOf>): void {
    this.#options.world.announce(
      jobs.flatMap(({ messages }) => messages),
      written,
    );
    for (const job of jobs) end(job, undefined);
  }

  /** The database said no. One sender's message must not be another's trouble: each is tried by itself. */
  async #refused(jobs: readonly SendJob[], error: unknown): Promise<void> {
    const [first] = jobs;
    if (jobs.length === 1) return end(first!, wrapTransportError(error, "postgres", "a send"));
    for (const job of jobs) await this.#write([job]);
  }

  #watch(): void {
    this.#timer = this.#clock.after(LOOK_MS, () => {
      const nowMs = this.#clock.monotonicMs();
      for (const job of this.#flying) if (nowMs >= job.deadlineAtMs) end(job, outcomeUnknown(job));
      for (const job of this.#queue) if (nowMs >= job.deadlineAtMs) end(job, notTried(job));
      this.#queue = this.#queue.filter(({ isOver }) => !isOver);
      this.#watch();
    });
  }
}

function end(job: SendJob, outcome: SendOutcome): void {
  if (job.isOver) return;
  job.isOver = true;
  job.resolve(outcome);
}

function outcomeUnknown({ placed, deadlineMs }: SendJob): PostriderError {
  return fail("PR_OUTCOME_UNKNOWN", { transport: "postgres", count: placed.length, deadlineMs });
}

function notTried({ placed, deadlineMs }: SendJob): PostriderError {
  const detail = `${placed.length} messages waited ${deadlineMs} ms in vain for those before them; they were not written`;
  return fail("PR_TRANSPORT_FAILED", { transport: "postgres", during: "a send", detail });
}
