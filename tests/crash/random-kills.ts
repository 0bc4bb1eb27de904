import { systemClock } from "postrider";
import type { Random } from "postrider";
import { seededRandom } from "../../packages/postrider/src/base/random.ts";
import type { Fault } from "./fault.ts";
import type { WorkerProcess } from "./process.ts";
import { CrashRun } from "./run.ts";
import type { WorkerConfig } from "./worker.ts";

/** A run with random kills. */
export interface RandomRunOptions {
  readonly seed: number;
  /** How long processes are killed, in milliseconds. After that everything that is left is handled, and the history checked. */
  readonly killingMs: number;
  readonly producers: number;
  readonly consumers: number;
  readonly leaseMs: number;
  /** How often a process is stopped for longer than its leases, and goes on after that. */
  readonly stops: number;
}

/** What a run with random kills came to. */
export interface RandomRunResult {
  readonly faults: readonly Fault[];
  readonly counts: Readonly<Record<"sends" | "acknowledged" | "effects" | "handedOverAgain" | "kills" | "stops", number>>;
}

/** Between two kills, in milliseconds. */
const KILL_EVERY_MS = { from: 300, to: 1000 };
/** A stop is this many leases long. */
const STOP_LEASES = 1.6;
/** Kills are no fault of the messages that they hit: none of them may become a poisoned one. */
const MAX_STARTS = 1000;
const SETTLE_LIMIT_MS = 120_000;

/** Producers and consumers on one file; one of them is killed again and again, and started again; some are stopped for longer than they own anything. */
export async function randomRun(options: RandomRunOptions): Promise<RandomRunResult> {
  using run = new CrashRun("one", options.leaseMs);
  const random = seededRandom(options.seed);
  const slots = [
    ...Array.from({ length: options.producers }, (_, at) => new Slot(run, { name: `p${at}`, role: "produce" }, random)),
    ...Array.from({ length: options.consumers }, (_, at) => new Slot(run, { name: `c${at}`, role: "consume" }, random)),
  ];
  const kills = await killAtRandom(slots, options, random);
  for (const slot of slots) slot.leave();
  await Promise.all(slots.map(({ worker }) => worker.ended));
  await run.runWell({ name: "last", role: "settle", saysLogs: true, maxStarts: MAX_STARTS }, SETTLE_LIMIT_MS);
  const { sends, effects, taken } = run.history();
  return {
    faults: run.faults(),
    counts: {
      sends: sends.length,
      acknowledged: sends.filter(({ outcome }) => outcome === "acknowledged").length,
      effects: effects.length,
      handedOverAgain: taken.length - new Set(taken.map((took) => `${took.service} ${took.destination} ${took.position}`)).size,
      kills,
      stops: options.stops,
    },
  };
}

/** A place for a process, which is never empty for long. */
class Slot {
  worker: WorkerProcess;
  isStopped = false;
  readonly #run: CrashRun;
  readonly #config: Pick<WorkerConfig, "name" | "role">;
  readonly #random: Random;
  #generation = 0;

  constructor(run: CrashRun, config: Pick<WorkerConfig, "name" | "role">, random: Random) {
    this.#run = run;
    this.#config = config;
    this.#random = random;
    this.worker = this.#start();
  }

  async replace(): Promise<void> {
    this.worker.signal("SIGKILL");
    await this.worker.ended;
    this.worker = this.#start();
  }

  async stopFor(ms: number): Promise<void> {
    this.isStopped = true;
    this.worker.signal("SIGSTOP");
    await systemClock.sleep(ms);
    this.worker.signal("SIGCONT");
    this.isStopped = false;
  }

  /** The end of the run: producers end as they should, consumers are killed once more. */
  leave(): void {
    this.worker.signal(this.#config.role === "produce" ? "SIGTERM" : "SIGKILL");
  }

  #start(): WorkerProcess {
    const name = `${this.#config.name}.${this.#generation++}`;
    const seed = Math.floor(this.#random.next() * 2 ** 31);
    return this.#run.start({ ...this.#config, name, seed, saysLogs: true, maxStarts: MAX_STARTS });
  }
}

async function killAtRandom(slots: readonly Slot[], { killingMs, leaseMs, stops }: RandomRunOptions, random: Random): Promise<number> {
  await Promise.all(slots.map(({ worker }) => worker.heard(({ says }) => says === "ready")));
  const startedMs = systemClock.monotonicMs();
  const stopsDone: Promise<void>[] = [];
  let kills = 0;
  for (;;) {
    await systemClock.sleep(KILL_EVERY_MS.from + random.next() * (KILL_EVERY_MS.to - KILL_EVERY_MS.from));
    const passedMs = systemClock.monotonicMs() - startedMs;
    const running = slots.filter((slot) => !slot.isStopped);
    const slot = running[Math.floor(random.next() * running.length)]!;
    if (passedMs >= killingMs) break;
    // The stops are spread over the run, so that each has its time to end.
    if (stopsDone.length < stops && passedMs > (killingMs * (stopsDone.length + 0.3)) / (stops + 1)) {
      stopsDone.push(slot.stopFor(leaseMs * STOP_LEASES));
    } else {
      await slot.replace();
      kills++;
    }
  }
  await Promise.all(stopsDone);
  return kills;
}
