import { command, event } from "postrider";
import type { StandardSchema } from "postrider";

/** How the handling of a job goes. */
export type Fate =
  | "well"
  /** Takes its time, so that who comes behind could overtake it. */
  | "slow"
  /** The first run fails, the one right after it does not. */
  | "twitch"
  /** The first two runs fail, so that it waits in the store for the third. */
  | "sick"
  /** The third run fails too, so that it is put off a second time. */
  | "sicker"
  /** Fails for good, until an operator has mended it. */
  | "hopeless"
  /** Does something outside, once. */
  | "charged"
  /** Ends the process. */
  | "abort";

/** What every message of the crash system carries: who sent it, as the how-manieth, under which key. */
export interface Job {
  readonly producer: string;
  readonly n: number;
  readonly key: string;
  readonly fate: Fate;
  /** Not to be handled before, in milliseconds since the epoch. */
  readonly notBefore?: number;
}

/** What an asker is told. */
export interface Answer {
  readonly id: string;
}

/** A job's name in every ledger. */
export function jobId({ producer, n }: Pick<Job, "producer" | "n">): string {
  return `${producer}/${n}`;
}

/** Jobs of a key run one at a time; one that waits for its third run is overtaken. */
export const DoJob = command("job.do", { schema: anything<Job>(), key: (job) => job.key });

/** Jobs of a key also wait behind one that failed. */
export const StepJob = command("job.step", { schema: anything<Job>(), key: (job) => job.key, ordered: true });

/** Jobs that somebody waits for. */
export const AskJob = command("job.ask", {
  schema: anything<Job>(),
  key: (job) => job.key,
  reply: anything<Answer>(),
});

/** Jobs for later, in any order. */
export const LaterJob = command("job.later", { schema: anything<Job>() });

/** Says that a {@link DoJob} was done, in the order in which they were. */
export const JobDone = event("job.done", { schema: anything<Job>(), key: (job) => job.key, ordered: true });

/** The harness checks what becomes of bodies, so their schema lets everything through. */
function anything<Body>(): StandardSchema<Body, Body> {
  return { "~standard": { version: 1, vendor: "postrider-tests", validate: (value) => ({ value: value as Body }) } };
}
