import { deferred } from "../../base/deferred.ts";
import { listOf } from "../../base/list-of.ts";
import type { SendCallOptions, SendOutcome } from "../../ports/transport.ts";

/** One call of `send`: what became of each of its messages. */
export class SendCall {
  /** Its place among the calls of an accumulator, which sets it. */
  number = 0;
  readonly deadlineMs: number;
  readonly endsAtMs: number;
  readonly #outcomes: SendOutcome[];
  readonly #isOpen: boolean[];
  readonly #done = deferred<readonly SendOutcome[]>();
  readonly #onOutcome: SendCallOptions["onOutcome"];
  #left: number;

  constructor(count: number, { deadlineMs, onOutcome }: SendCallOptions, nowMs: number) {
    // Most calls are of one message.
    this.#outcomes = count === 1 ? listOf<SendOutcome>(undefined) : Array.from({ length: count });
    this.#isOpen = count === 1 ? listOf(true) : Array.from({ length: count }, () => true);
    this.#onOutcome = onOutcome;
    this.deadlineMs = deadlineMs;
    this.endsAtMs = nowMs + deadlineMs;
    this.#left = count;
  }

  get promise(): Promise<readonly SendOutcome[]> {
    return this.#done.promise;
  }

  get isOver(): boolean {
    return this.#left === 0;
  }

  isOpen(at: number): boolean {
    return this.#isOpen[at]!;
  }

  /** The first outcome of a message counts. */
  settle(at: number, outcome: SendOutcome): void {
    if (!this.#isOpen[at]) return;
    this.#isOpen[at] = false;
    this.#outcomes[at] = outcome;
    this.#onOutcome?.(at, outcome);
    if (--this.#left === 0) this.#done.resolve(this.#outcomes);
  }

  /** The same outcome for all that have none. */
  settleRest(outcome: SendOutcome): void {
    for (let at = 0; at < this.#isOpen.length; at++) this.settle(at, outcome);
  }
}
