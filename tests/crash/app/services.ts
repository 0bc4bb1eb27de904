import { appendFileSync } from "node:fs";
import { service, systemClock } from "postrider";
import type { HandlerContext, Service, ServiceOptions } from "postrider";
import { AskJob, DoJob, jobId, JobDone, LaterJob, StepJob } from "./contracts.ts";
import type { Answer, Fate, Job } from "./contracts.ts";
import type { OutsideLine, Say } from "./lines.ts";

/** The tables of the system's own, beside Postrider's. The effect ledger has no unique constraint: what happens twice is there twice. */
export const TABLES: readonly string[] = [
  "create table if not exists effects (sequence integer primary key autoincrement, handler text not null, id text not null, key text not null, at integer not null)",
  "create table if not exists orders (id text not null)",
  "create table if not exists mended (id text not null)",
];

/** How the services run. */
export interface ServicesOptions {
  /** The ledger of what was done outside: a file that is only appended to. */
  readonly outside: string;
  /** Told of each start of a handler. */
  readonly onBegun: Say | undefined;
  readonly maxStarts?: number;
}

const SLOW_MS = 15;

const RETRY: NonNullable<ServiceOptions["retry"]> = {
  immediate: 1,
  delayed: 4,
  backoff: { firstMs: 30, factor: 2, maxMs: 200, jitter: 0.2 },
  byCode: { HOPELESS: "never" },
};

/** The services of the crash system: `front` only sends, `doer` handles commands, `auditor` hears of what was done. */
export function crashServices(options: ServicesOptions): readonly Service[] {
  const running: ServiceOptions = {
    retry: RETRY,
    concurrency: 20,
    outageAfter: 0, // hopeless jobs in a row are no outage here
    ...(options.maxStarts === undefined ? {} : { maxStarts: options.maxStarts }),
  };
  return [service("front", () => undefined), doer(options, running), auditor(options, running)];
}

function doer(options: ServicesOptions, running: ServiceOptions): Service {
  const define = (on: On): void => {
    on(DoJob, async (job, context) => {
      await handle(options, "doer", job, context);
      context.publish(JobDone, job);
      failAtFirst(job, context);
    });
    for (const contract of [StepJob, LaterJob]) {
      on(contract, async (job, context) => {
        await handle(options, "doer", job, context);
        failAtFirst(job, context);
      });
    }
    on(AskJob, async (job, context) => {
      await handle(options, "doer", job, context);
      context.reply({ id: jobId(job) } satisfies Answer);
    });
  };
  return service("doer", define, running);
}

function auditor(options: ServicesOptions, running: ServiceOptions): Service {
  const define = (on: On): void => {
    on(JobDone, async (job, context) => {
      await handle(options, "auditor", job, context);
      // Its own failures, told from the job's: every seventh waits, and whatever is behind it with it.
      if (job.n % 7 === 3) failAtFirst({ ...job, fate: "sick" }, context);
    });
  };
  return service("auditor", define, running);
}

/** How `service` hands out registration. */
type On = Parameters<Parameters<typeof service>[1]>[0];

/** Does the work of a job: outside first where it has some, then its effect, in the unit of work. */
async function handle(options: ServicesOptions, name: string, job: Job, context: HandlerContext): Promise<void> {
  const id = jobId(job);
  const handler = `${name}/${context.message.contract}`;
  options.onBegun?.({ says: "begun", handler, id, at: systemClock.now() });
  if (job.fate === "slow") await systemClock.sleep(SLOW_MS, context.signal);
  if (job.fate === "abort" && name === "doer") process.abort();
  if (job.fate === "charged" && name === "doer") await charge(options.outside, id, context);
  await context.tx.run(
    "insert into effects (handler, id, key, at) values (?, ?, ?, ?)",
    handler,
    id,
    context.message.key ?? "",
    context.clock.now(),
  );
  if (job.fate === "hopeless" && name === "doer") await requireMended(id, context);
}

/** Keeps the ledger of what is done outside. Each doing has a result of its own, so that two cannot be taken for one. */
async function charge(outside: string, id: string, context: HandlerContext): Promise<void> {
  const run = `${process.pid} ${process.hrtime.bigint()}`;
  const note = (line: OutsideLine): void => appendFileSync(outside, `${JSON.stringify(line)}\n`);
  note({ says: "asks", id, run });
  const result = await context.once("charge", (key) => {
    note({ says: "did", id, run, key });
    return Promise.resolve(`done by ${run}`);
  });
  note({ says: "has", id, run, result });
}

async function requireMended(id: string, { tx }: HandlerContext): Promise<void> {
  if ((await tx.get("select id from mended where id = ?", id)) !== undefined) return;
  throw Object.assign(new Error(`${id} is hopeless`), { code: "HOPELESS" });
}

/** How many runs fail. */
const FAILING: Readonly<Partial<Record<Fate, number>>> = { twitch: 1, sick: 2, sicker: 3 };

/** Fails after the work is done, so that a rollback has something to take back. */
function failAtFirst(job: Job, { message }: HandlerContext): void {
  const failing = FAILING[job.fate] ?? 0;
  if (message.attempt <= failing && !message.isRedrive) throw new Error(`${jobId(job)} fails at run ${message.attempt}`);
}
