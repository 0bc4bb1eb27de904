import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import type { SendOutcome } from "../../ports/transport.ts";
import type { Job, Turn } from "./turn.ts";

/** What an append needs of its file. */
export interface Appender {
  append(turn: Turn, message: Outgoing): void;
  /** The job waits. */
  began(job: AppendJob): void;
  /** The job has ended, however. */
  ended(job: AppendJob): void;
}

/** A message, or why it cannot be written. */
export interface Candidate {
  readonly message: Outgoing;
  readonly refusal: SendOutcome;
}

/** One send: messages that become rows in one commit. */
export class AppendJob implements Job {
  readonly isVolatile = false;
  readonly promise: Promise<readonly SendOutcome[]>;
  /** When the sender stops waiting, by the monotonic clock. */
  readonly deadlineAtMs: number;
  readonly #deadlineMs: number;
  readonly #candidates: readonly Candidate[];
  readonly #appender: Appender;
  #resolve!: (outcomes: readonly SendOutcome[]) => void;
  #isOver = false;

  constructor(candidates: readonly Candidate[], appender: Appender, deadlineMs: number, nowMs: number) {
    this.#candidates = candidates;
    this.deadlineAtMs = nowMs + deadlineMs;
    this.#deadlineMs = deadlineMs;
    this.#appender = appender;
    this.promise = new Promise((resolve) => (this.#resolve = resolve));
    appender.began(this);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  run(turn: Turn): void {
    for (const { message, refusal } of this.#candidates) if (refusal === undefined) this.#appender.append(turn, message);
  }

  durable(): void {
    this.#end(undefined);
  }

  failed(error: PostriderError): void {
    this.#end(error);
  }

  /** The sender stops waiting. What has not been written will not be. */
  expire(): void {
    this.#end(fail("PR_OUTCOME_UNKNOWN", { transport: "sqlite", count: this.#candidates.length, deadlineMs: this.#deadlineMs }));
  }

  #end(error: PostriderError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#resolve(this.#candidates.map(({ refusal }) => refusal ?? error));
    this.#appender.ended(this);
  }
}
