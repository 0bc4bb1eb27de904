import { command, createBus, event, service } from "postrider";
import type { Bus, HandlerContext, ServiceOptions, StandardSchema } from "postrider";
import { soakInfrastructure } from "./infrastructure.ts";
import type { Places } from "./infrastructure.ts";

/** The `n`-th message of a producer. */
export interface Job {
  readonly producer: string;
  readonly n: number;
  readonly key: string;
}

/** Kills are no fault of the messages that they hit: none may become a poisoned one. */
const MAX_STARTS = 1000; // the most there is
const RUNNING: ServiceOptions = {
  maxStarts: MAX_STARTS,
  retry: { delayed: Infinity, backoff: { firstMs: 50, factor: 2, maxMs: 1000, jitter: 0.2 } },
};
const LANES = 8;

const schema: StandardSchema<Job, Job> = {
  "~standard": { version: 1, vendor: "postrider-tests", validate: (value) => ({ value: value as Job }) },
};

/** Sent in the name of `front`, handled by `doer`. */
export const DoJob = command("job.do", { schema, key: ({ key }) => key, ordered: true });
/** Published with the effect of a {@link DoJob}, heard by `auditor`. */
const JobDone = event("job.done", { schema, key: ({ key }) => key, ordered: true });

/** A process' part of the soaked system. */
export function soakBus(places: Places, run: readonly string[]): Bus {
  const services = [
    service("front", () => undefined, RUNNING),
    service(
      "doer",
      (on) => {
        on(DoJob, async (job, context) => {
          await effect("doer", job, context);
          context.publish(JobDone, job);
        });
      },
      RUNNING,
    ),
    service("auditor", (on) => on(JobDone, (job, context) => effect("auditor", job, context)), RUNNING),
  ];
  return createBus({ services, ...soakInfrastructure(places), run, lanes: LANES });
}

const EFFECT = "insert into effects (handler, producer, n, key, pid, attempt, begun) values (?, ?, ?, ?, ?, ?, ?)";

async function effect(handler: string, { producer, n, key }: Job, { tx, message, clock }: HandlerContext): Promise<void> {
  await tx.run(EFFECT, handler, producer, n, key, process.pid, message.attempt, clock.now());
}
