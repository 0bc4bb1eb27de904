import type { Clock, Timer } from "../../base/clock.ts";
import { isPromise } from "../../base/deferred.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import type { Connection } from "./connection.ts";
import { JobQueue } from "./job-queue.ts";
import { Turn } from "./turn.ts";
import type { Job } from "./turn.ts";
import { isBusy, wrapVendorError } from "./vendor-error.ts";

/** What a writer stands on. */
export interface WriterOptions {
  readonly connection: Connection;
  readonly file: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Takes each committed turn, and says `durable` to it when it is. */
  readonly onCommit: (turn: Turn) => void;
  /** Whether others write to the file, so that they are let in between two turns. */
  readonly hasRivals: () => boolean;
  /** A turn came to nothing. */
  readonly onFailed: (error: PostriderError) => void;
  /** Others have written since our last turn. */
  readonly onForeignChange: () => void;
  /** Whether the disk is being synced: what is committed now is on the disk only with the next sync. */
  readonly isSyncing: () => boolean;
  /** Whether turns must wait because the write-ahead log is being started afresh. */
  readonly isHeldUp: () => boolean;
}

// A turn is short, so that the event loop and other processes get in between. Sources: the loop delay bar of 6 ms; docs/adr/0010-sqlite-layout.md
const MAX_TURN_MS = 2;
const MAX_TURN_JOBS = 256;
const JOBS_PER_LOOK = 4; // a look at the clock costs as much as a small job

// So many waiting jobs are worth a commit of their own while the disk is busy; fewer wait for the sync under way, but not longer than this.
const EAGER_JOBS = 128;
const MAX_DEFER_MS = 2;

// A timer's resolution is 1 ms; 1 … 3 ms spreads rivals over the gap that a turn leaves.
const BUSY_WAIT_MS = 1;
const BUSY_JITTER_MS = 2;

/**
 * The only one who writes: runs waiting jobs one after another, many to a transaction.
 *
 * States: *idle* (nothing queued), *scheduled* (a turn begins once the loop has had its turn), *deferred* (few jobs wait for a sync under way), *running* (the transaction is open, perhaps held by a
 * job that awaits something), *waiting* (another process has the lock), *stopped* (everything is refused).
 */
export class Writer {
  readonly #options: WriterOptions;
  readonly #queue = new JobQueue();
  #turn: Turn | undefined;
  #turnStartedMs = 0;
  #isScheduled = false;
  #isDeferred = false;
  #wasDeferred = false;
  #timer: Timer | undefined;
  #dataVersion: number | undefined;
  #version = 1;
  #stopped: PostriderError | undefined;
  #idle: (() => void) | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** Changes whenever another connection may have changed something: what was read under another number must be read again. */
  get version(): number {
    return this.#version;
  }

  /** The turn that is open now. */
  get turn(): Turn | undefined {
    return this.#turn;
  }

  /** Why everything is refused, where it is. */
  get stopped(): PostriderError | undefined {
    return this.#stopped;
  }

  /** For how long one job has kept the transaction open, in milliseconds. */
  get heldMs(): number {
    return this.#turn === undefined ? 0 : this.#options.clock.monotonicMs() - this.#turnStartedMs;
  }

  /** Whose transaction is open. */
  get holder(): string | undefined {
    return this.#turn?.jobs.at(-1)?.service;
  }

  enqueue(job: Job): void {
    if (this.#stopped !== undefined) return job.failed(this.#stopped);
    this.#queue.push(job);
    if (this.#isDeferred && this.#queue.length >= EAGER_JOBS) this.#undefer();
    else this.#schedule();
  }

  /** A sync has ended: what came meanwhile can share the next one. */
  synced(): void {
    if (this.#isDeferred) this.#undefer();
  }

  /** Refuses everything from now on, and what waits. */
  stop(error: PostriderError): void {
    this.#stopped = error;
    this.#timer?.cancel();
    for (const job of this.#queue.drain()) job.failed(error);
    this.#idle?.();
  }

  /** Resolves once nothing is queued or running. */
  async drained(): Promise<void> {
    if (this.#turn !== undefined || this.#queue.length > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  /** Ends the waiting of what is queued or running and has no time left. */
  expire(nowMs: number): void {
    this.#queue.forEach((job) => job.expire?.(nowMs));
    this.#turn?.expire(nowMs);
  }

  /** Looks whether others have written, outside a turn. */
  poll(): void {
    if (this.#turn === undefined && this.#stopped === undefined) this.#noticeOthers();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#turn !== undefined) return;
    this.#isScheduled = true;
    void this.#options.clock.yield().then(() => this.#begin());
  }

  /** While the disk is busy a commit more gains nobody anything: whoever waits for it waits for the next sync. So few jobs wait for more. */
  #defer(): void {
    this.#isScheduled = true;
    this.#isDeferred = true;
    this.#timer = this.#options.clock.after(MAX_DEFER_MS, () => this.#undefer(), { keepAlive: true });
  }

  #undefer(): void {
    if (!this.#isDeferred) return;
    this.#isDeferred = false;
    this.#wasDeferred = true;
    this.#timer?.cancel();
    this.#isScheduled = false;
    this.#schedule();
  }

  #scheduleAfter(delayMs: number): void {
    this.#isScheduled = true;
    this.#timer = this.#options.clock.after(delayMs, () => this.#begin(), { keepAlive: true });
  }

  #begin(): void {
    this.#isScheduled = false;
    if (this.#stopped !== undefined || this.#queue.length === 0) return;
    if (this.#options.isHeldUp()) return this.#scheduleAfter(BUSY_WAIT_MS);
    if (!this.#wasDeferred && this.#queue.length < EAGER_JOBS && this.#options.isSyncing()) return this.#defer();
    this.#wasDeferred = false;
    try {
      this.#options.connection.run("begin immediate");
    } catch (error) {
      if (isBusy(error)) return this.#scheduleAfter(BUSY_WAIT_MS + this.#options.random.next() * BUSY_JITTER_MS);
      return this.#refuseQueue(error);
    }
    this.#turn = new Turn();
    this.#turnStartedMs = this.#options.clock.monotonicMs();
    try {
      this.#noticeOthers();
      this.#continue(this.#turn);
    } catch (error) {
      this.#abort(this.#turn, error);
    }
  }

  #continue(turn: Turn): void {
    const { clock, connection } = this.#options;
    for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift()) {
      if (job.isOver === true) continue;
      turn.add(job);
      const held = job.run(turn);
      if (held !== undefined && isPromise(held)) {
        held.then(
          () => this.#resume(turn),
          (error: unknown) => this.#abort(turn, error),
        );
        return;
      }
      // A statement that fails for want of space or memory may have ended the transaction.
      if (!connection.db.isTransaction) throw new Error("the transaction was rolled back by SQLite");
      if (turn.jobs.length >= MAX_TURN_JOBS) break;
      if (turn.jobs.length % JOBS_PER_LOOK === 0 && clock.monotonicMs() - this.#turnStartedMs >= MAX_TURN_MS) break;
    }
    this.#commit(turn);
  }

  #resume(turn: Turn): void {
    try {
      if (this.#stopped !== undefined) throw this.#stopped;
      if (!this.#options.connection.db.isTransaction) throw new Error("the transaction was rolled back by SQLite");
      if (this.#options.clock.monotonicMs() - this.#turnStartedMs >= MAX_TURN_MS) this.#commit(turn);
      else this.#continue(turn);
    } catch (error) {
      this.#abort(turn, error);
    }
  }

  #commit(turn: Turn): void {
    turn.flush();
    this.#options.connection.run("commit");
    this.#turn = undefined;
    turn.committed();
    this.#options.onCommit(turn);
    this.#end();
  }

  #abort(turn: Turn, cause: unknown): void {
    const { connection, file } = this.#options;
    const error = wrapVendorError(cause, file, "a transaction");
    this.#options.onFailed(error);
    if (connection.db.isOpen && connection.db.isTransaction) connection.run("rollback");
    this.#turn = undefined;
    turn.rolledBack(error);
    this.#end();
  }

  #end(): void {
    if (this.#queue.length === 0) return this.#idle?.();
    // A gap of a timer's length, or rivals that poll for the lock would never meet it free.
    if (this.#options.hasRivals()) this.#scheduleAfter(BUSY_WAIT_MS);
    else this.#schedule();
  }

  #refuseQueue(cause: unknown): void {
    const error = wrapVendorError(cause, this.#options.file, "the begin of a transaction");
    this.#options.onFailed(error);
    for (const job of this.#queue.drain()) job.failed(error);
    this.#idle?.();
  }

  #noticeOthers(): void {
    const { connection, onForeignChange } = this.#options;
    const dataVersion = connection.get<{ data_version: number }>("pragma data_version")!.data_version;
    if (dataVersion === this.#dataVersion) return;
    this.#dataVersion = dataVersion;
    this.#version++;
    onForeignChange();
  }
}
