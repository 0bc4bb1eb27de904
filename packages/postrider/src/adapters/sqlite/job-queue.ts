import type { Job } from "./turn.ts";

const COMPACT_AFTER = 1024;

// Of four jobs one may be a send while others wait. Sends come from outside as fast as they are answered; without this they would leave
// the handlers, whose transactions settle what was sent, an ever smaller share: measured, 45 000 sent and 14 000 handled a second.
const OTHERS_PER_SEND = 3;

/** Jobs that wait for a turn: sends, and before them everything else; each kind in its order. */
export class JobQueue {
  readonly #sends = new Fifo();
  readonly #others = new Fifo();
  #othersInARow = 0;

  get length(): number {
    return this.#sends.length + this.#others.length;
  }

  push(job: Job): void {
    (job.isSend === true ? this.#sends : this.#others).push(job);
  }

  shift(): Job | undefined {
    const isSendsTurn = this.#others.length === 0 || (this.#othersInARow >= OTHERS_PER_SEND && this.#sends.length > 0);
    this.#othersInARow = isSendsTurn ? 0 : this.#othersInARow + 1;
    return isSendsTurn ? this.#sends.shift() : this.#others.shift();
  }

  /** Takes all out. */
  drain(): Job[] {
    return [...this.#others.drain(), ...this.#sends.drain()];
  }

  forEach(visit: (job: Job) => void): void {
    this.#others.forEach(visit);
    this.#sends.forEach(visit);
  }
}

class Fifo {
  #jobs: (Job | undefined)[] = [];
  #first = 0;

  get length(): number {
    return this.#jobs.length - this.#first;
  }

  push(job: Job): void {
    this.#jobs.push(job);
  }

  shift(): Job | undefined {
    if (this.length === 0) return undefined;
    const job = this.#jobs[this.#first];
    this.#jobs[this.#first++] = undefined;
    if (this.#first === this.#jobs.length) {
      this.#jobs.length = 0;
      this.#first = 0;
    } else if (this.#first > COMPACT_AFTER) {
      this.#jobs = this.#jobs.slice(this.#first);
      this.#first = 0;
    }
    return job;
  }

  drain(): Job[] {
    const left = this.#jobs.slice(this.#first) as Job[];
    this.#jobs = [];
    this.#first = 0;
    return left;
  }

  forEach(visit: (job: Job) => void): void {
    for (let at = this.#first; at < this.#jobs.length; at++) visit(this.#jobs[at]!);
  }
}
