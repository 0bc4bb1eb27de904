import { Fifo } from "../../base/fifo.ts";
import type { Job } from "./turn.ts";

// Of four jobs one may be a send while others wait. Sends come from outside as fast as they are answered; without this they would leave
// the handlers, whose transactions settle what was sent, an ever smaller share: measured, 45 000 sent and 14 000 handled a second.
const OTHERS_PER_SEND = 3;

/** Jobs that wait for a turn: first those that somebody waits for, but every second one at most; sends last; each kind in its order. */
export class JobQueue {
  readonly #awaited = new Fifo<Job>();
  readonly #others = new Fifo<Job>();
  readonly #sends = new Fifo<Job>();
  #wasAwaited = false;
  #othersInARow = 0;

  get length(): number {
    return this.#awaited.length + this.#others.length + this.#sends.length;
  }

  push(job: Job): void {
    (job.isSend === true ? this.#sends : job.isAwaited === true ? this.#awaited : this.#others).push(job);
  }

  shift(): Job | undefined {
    if (this.#awaited.length > 0 && !(this.#wasAwaited && this.#others.length + this.#sends.length > 0)) {
      this.#wasAwaited = true;
      return this.#awaited.shift();
    }
    this.#wasAwaited = false;
    const isSendsTurn = this.#others.length === 0 || (this.#othersInARow >= OTHERS_PER_SEND && this.#sends.length > 0);
    this.#othersInARow = isSendsTurn ? 0 : this.#othersInARow + 1;
    return isSendsTurn ? this.#sends.shift() : this.#others.shift();
  }

  /** Takes all out. */
  drain(): Job[] {
    return [this.#awaited, this.#others, this.#sends].flatMap((jobs) => jobs.evict(() => true));
  }

  forEach(visit: (job: Job) => void): void {
    for (const jobs of [this.#awaited, this.#others, this.#sends]) for (let at = 0; at < jobs.length; at++) visit(jobs.at(at)!);
  }
}
