import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import type { SendOutcome } from "../../ports/transport.ts";
import type { Job, Turn } from "./turn.ts";

/** What an append needs of its file. */
export interface Appender {
  append(turn: Turn, message: Outgoing): void;
  /** Why a message cannot be written, if it cannot. */
  refusalOf(message: Outgoing): SendOutcome;
}

/** One send: messages that become rows in one commit. */
export class AppendJob implements Job {
  readonly isVolatile = false;
  readonly isSend = true;
  readonly promise: Promise<readonly SendOutcome[]>;
  /** When the sender stops waiting, by the monotonic clock. */
  readonly #deadlineAtMs: number;
  readonly #deadlineMs: number;
  readonly #messages: readonly Outgoing[];
  /** By message: why it cannot be written. Undefined where all can. */
  readonly #refusals: readonly SendOutcome[] | undefined;
  readonly #appender: Appender;
  #resolve!: (outcomes: readonly SendOutcome[]) => void;
  #isOver = false;

  constructor(messages: readonly Outgoing[], appender: Appender, deadlineMs: number, nowMs: number) {
    this.#messages = messages;
    this.#appender = appender;
    this.#deadlineAtMs = nowMs + deadlineMs;
    this.#deadlineMs = deadlineMs;
    this.#refusals = refusalsOf(messages, appender);
    this.promise = new Promise((resolve) => (this.#resolve = resolve));
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  run(turn: Turn): void {
    for (let at = 0; at < this.#messages.length; at++) {
      if (this.#refusals?.[at] === undefined) this.#appender.append(turn, this.#messages[at]!);
    }
  }

  durable(): void {
    this.#end(undefined);
  }

  failed(error: PostriderError): void {
    this.#end(error);
  }

  /** The sender stops waiting. What has not been written will not be. */
  expire(nowMs: number): void {
    if (nowMs >= this.#deadlineAtMs)
      this.#end(fail("PR_OUTCOME_UNKNOWN", { transport: "sqlite", count: this.#messages.length, deadlineMs: this.#deadlineMs }));
  }

  #end(error: PostriderError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#resolve(this.#messages.map((_, at) => this.#refusals?.[at] ?? error));
  }
}

function refusalsOf(messages: readonly Outgoing[], appender: Appender): readonly SendOutcome[] | undefined {
  for (const message of messages) {
    if (appender.refusalOf(message) !== undefined) return messages.map((each) => appender.refusalOf(each));
  }
  return undefined;
}
