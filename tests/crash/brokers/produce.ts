import { isPostriderError, systemClock } from "postrider";
import type { Bus } from "postrider";
import { progressSql } from "./ledger.ts";
import type { On } from "./infrastructure.ts";
import type { Progress } from "./ledger.ts";
import { DoJob } from "./system.ts";
import type { Job } from "./system.ts";

/** How much one producer sends. */
export interface ProduceOptions {
  readonly bus: Bus;
  readonly on: On;
  /** Unique among all processes of a soak. */
  readonly name: string;
  /** Rows of `sent`, of all producers together. */
  readonly total: number;
  readonly isOver: () => boolean;
}

const STRANDS = 12;
const KEYS_PER_STRAND = 40;
const BATCH = 25;
/** Every fourth strand sends past the outbox. */
const DIRECT_EVERY = 4;
/** Sends without an effect, of all together: beyond that producers wait. */
const MAX_OPEN = 20_000;
const LOOK_MS = 50;

const ROWS = `insert into sent (producer, n, key) values ${Array.from({ length: BATCH }, () => "(?, ?, ?)").join(", ")}`;

/** Sends until enough is sent or it is told to end. Strands share no key, so that each key's sends come one after another. */
export async function produce(options: ProduceOptions): Promise<void> {
  let isFull = false;
  let isOver = false;
  const strands = Array.from({ length: STRANDS }, (_, strand) => send(options, strand, { isFull: () => isFull, isOver: () => isOver }));
  while (!isOver) {
    const progress = await options.bus
      .as("front")
      .read.get<Progress>(progressSql(options.on))
      .catch(() => undefined);
    isFull = progress === undefined || progress.sent * 2 - progress.effects > MAX_OPEN * 2;
    isOver = options.isOver() || (progress?.sent ?? 0) >= options.total;
    await systemClock.sleep(LOOK_MS);
  }
  await Promise.all(strands);
}

async function send(
  { bus, name }: ProduceOptions,
  strand: number,
  { isFull, isOver }: Record<"isFull" | "isOver", () => boolean>,
): Promise<void> {
  const isDirect = strand % DIRECT_EVERY === 0;
  const producer = `${name}.${strand}${isDirect ? ".direct" : ""}`;
  for (let n = 0; !isOver();) {
    if (isFull()) {
      await systemClock.sleep(LOOK_MS);
      continue;
    }
    const jobs = Array.from({ length: BATCH }, (): Job => ({
      producer,
      n: n++,
      key: `k${strand + STRANDS * ((n - 1) % KEYS_PER_STRAND)}`,
    }));
    const work = isDirect ? sendDirect(bus, jobs) : sendWithRows(bus, jobs);
    await work.catch(refused);
  }
}

/**
 * Where a server is away: what did not happen is not in the ledger either. Anything else ends the soak.
 *
 * A start that went on without its broker knows no destination yet: what goes past the outbox is refused until then.
 */
async function refused(error: unknown): Promise<void> {
  if (!isPostriderError(error) || !(error.retryable || error.code === "PR_DESTINATION_UNKNOWN")) throw error;
  await systemClock.sleep(LOOK_MS);
}

/** Rows and messages in one unit of work: both are there, or neither. */
function sendWithRows(bus: Bus, jobs: readonly Job[]): Promise<void> {
  return bus.as("front").transaction(async ({ tx, send: sendOne }) => {
    await tx.run(ROWS, ...valuesOf(jobs));
    for (const job of jobs) sendOne(DoJob, job);
  });
}

/** Straight to the transport; the rows are written once all are confirmed. */
async function sendDirect(bus: Bus, jobs: readonly Job[]): Promise<void> {
  await Promise.all(jobs.map((job) => bus.as("front").send(DoJob, job, { direct: true })));
  await bus.as("front").transaction(({ tx }) => tx.run(ROWS, ...valuesOf(jobs)));
}

const valuesOf = (jobs: readonly Job[]): readonly (string | number)[] => jobs.flatMap(({ producer, n, key }) => [producer, n, key]);
