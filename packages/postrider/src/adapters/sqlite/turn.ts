import type { MaybePromise } from "../../base/deferred.ts";
import type { PostriderError } from "../../base/errors.ts";

/**
 * Something that wants to write. Life: queued → `run` inside a turn → `committed` → `durable`; or `failed`, at any time before `durable`.
 */
export interface Job {
  /** For people: whose transaction it is. */
  readonly service?: string;
  /** Nothing of it needs to be on the disk before it counts as done. */
  readonly isVolatile: boolean;
  /** It comes from outside, and may wait for what settles and what keeps leases: see JobQueue. */
  readonly isSend?: boolean;
  /** A caller waits for it alone, an HTTP request perhaps, while what is delivered is a stream: see JobQueue. */
  readonly isAwaited?: boolean;
  /** Somebody gave up waiting: it is not run any more. */
  readonly isOver?: boolean;
  /** Writes. A promise keeps the connection until it settles. What it throws ends the whole turn: jobs that may fail alone undo themselves. */
  run(turn: Turn): MaybePromise<void>;
  /** The commit returned; a power cut may still undo it. */
  committed?(): void;
  /** It is on the disk. */
  durable(): void;
  /** It is not written. */
  failed(error: PostriderError): void;
  /** Gives up waiting if its time is over. */
  expire?(nowMs: number): void;
}

/** Something whose row is written once per turn, however many jobs touch it. */
export interface Participant {
  /** Writes it, just before the commit. */
  flush?(): void;
  /** Called after the commit. */
  committed?(): void;
  /** Called once the commit is on the disk. */
  durable?(): void;
  /** The turn came to nothing: forget what it did. */
  rolledBack?(): void;
}

/** One transaction of the writer, shared by the jobs that were waiting. */
export class Turn {
  readonly jobs: Job[] = [];
  readonly #participants = new Set<Participant>();
  #isVolatile = true;

  /** Whether nobody waits for the disk. */
  get isVolatile(): boolean {
    return this.#isVolatile;
  }

  add(job: Job): void {
    this.jobs.push(job);
    if (!job.isVolatile) this.#isVolatile = false;
  }

  touch(participant: Participant): void {
    this.#participants.add(participant);
  }

  flush(): void {
    for (const participant of this.#participants) participant.flush?.();
  }

  committed(): void {
    for (const participant of this.#participants) participant.committed?.();
    for (const job of this.jobs) {
      job.committed?.();
      if (job.isVolatile) job.durable();
    }
  }

  durable(): void {
    for (const participant of this.#participants) participant.durable?.();
    for (const job of this.jobs) if (!job.isVolatile) job.durable();
    this.jobs.length = 0; // the list may be older than they are, and be collected later
  }

  expire(nowMs: number): void {
    for (const job of this.jobs) job.expire?.(nowMs);
  }

  rolledBack(error: PostriderError): void {
    for (const participant of this.#participants) participant.rolledBack?.();
    this.unsynced(error);
  }

  /** It is committed, but nobody can say that it will stay. */
  unsynced(error: PostriderError): void {
    for (const job of this.jobs) job.failed(error); // does nothing to those that are done
  }
}
