import { isPostriderError } from "postrider";
import type { Bus, SendOptions } from "postrider";
import { AskJob, DoJob, jobId, LaterJob, StepJob } from "./contracts.ts";
import type { Fate, Job } from "./contracts.ts";
import type { Say } from "./lines.ts";

/** How a job is sent. */
export type Way =
  | "do"
  | "step"
  /** Together with a row, in one unit of work. */
  | "transact"
  /** And its reply awaited. */
  | "ask"
  | "later"
  /** Under an id of the sender's own, twice. */
  | "twice";

const CONTRACT_OF = { do: DoJob, step: StepJob, transact: DoJob, ask: AskJob, later: LaterJob, twice: DoJob } as const;

/** Sends jobs in the name of `front` and says what became of each send. */
export class JobSender {
  readonly #bus: Bus;
  readonly #producer: string;
  readonly #say: Say;
  #n = 0;

  constructor(bus: Bus, producer: string, say: Say) {
    this.#bus = bus;
    this.#producer = producer;
    this.#say = say;
  }

  /** Sends one. Says so before and after, and never rejects: what is not known to have arrived is checked at the end. */
  async send(way: Way, job: Pick<Job, "key" | "fate" | "notBefore">, options: SendOptions = {}): Promise<void> {
    const body: Job = { producer: this.#producer, n: this.#n++, ...job };
    const id = jobId(body);
    this.#say({
      says: "sending",
      send: { id, ...body, contract: CONTRACT_OF[way].name, isInOrder: isInOrder(way, job.fate, options), hasRow: way === "transact" },
    });
    try {
      await this.#send(way, body, options);
      this.#say({ says: "sent", id });
    } catch (error) {
      if (way !== "ask" && isRefusal(error)) this.#say({ says: "refused", id, reason: String(error) });
    }
  }

  async #send(way: Way, job: Job, options: SendOptions): Promise<void> {
    const front = this.#bus.as("front");
    switch (way) {
      case "do":
      case "step":
        return void (await front.send(CONTRACT_OF[way], job, options));
      case "twice": {
        const own = { ...options, id: `own-${jobId(job)}` };
        return void (await Promise.all([front.send(DoJob, job, own), front.send(DoJob, job, own)]));
      }
      case "later":
        return void (await front.schedule(LaterJob, job, { at: new Date(job.notBefore!) }, options));
      case "transact":
        return front.transaction(async ({ tx, send }) => {
          await tx.run("insert into orders (id) values (?)", jobId(job));
          send(DoJob, job, options);
        });
      case "ask": {
        const answer = await front.request(AskJob, job, options);
        if (answer.id !== jobId(job)) this.#say({ says: "wrong", what: `${jobId(job)} was answered as ${answer.id}` });
      }
    }
  }
}

/** What runs again, if at all, before another of its key can. */
const IN_PLACE: readonly Fate[] = ["well", "slow", "twitch", "charged"];

/**
 * Whether a job's place among those of its key is promised. Not for what waits for a later run while its contract is not ordered, nor for what has
 * priority or is refused for good, nor for transactions and requests, which leave when their sender is done.
 */
function isInOrder(way: Way, fate: Fate, { priority, headers }: SendOptions): boolean {
  if (priority !== undefined || headers?.["x-refuse"] === "forGood") return false;
  if (way === "step") return true;
  return (way === "do" || way === "twice") && IN_PLACE.includes(fate);
}

/** These come before anything is written; but for a request, which may be waiting for its reply by then. */
function isRefusal(error: unknown): boolean {
  return (["PR_SHUTDOWN", "PR_NOT_STARTED", "PR_SEND_INVALID", "PR_BODY_INVALID"] as const).some((code) => isPostriderError(error, code));
}
