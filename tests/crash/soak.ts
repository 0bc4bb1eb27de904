import { parseArgs } from "node:util";
import { systemClock } from "postrider";
import { seededRandom } from "../../packages/postrider/src/base/random.ts";
import { faultLines } from "./fault.ts";
import type { Fault } from "./fault.ts";
import { brokerSoak } from "./brokers/soak.ts";
import { CRASH_CASES, crashAt } from "./points.ts";
import { randomRun } from "./random-kills.ts";

const USAGE =
  "usage: node --conditions=@postrider/source tests/crash/soak.ts [--what kills|points] [--on sqlite|postgres|rabbitmq|kafka] [--messages N] [--seconds N] [--seed S] [--calm] [--unnamed] [--keep-store] [--verbose]";
/** One run's history is checked in memory, so a long soak is many runs. */
const LONGEST_RUN_S = 60;
const MAX_NTH = 60;

const { values } = parseArgs({
  options: {
    what: { type: "string" },
    on: { type: "string" },
    messages: { type: "string" },
    seconds: { type: "string" },
    seed: { type: "string" },
    calm: { type: "boolean" },
    unnamed: { type: "boolean" },
    "keep-store": { type: "boolean" },
    verbose: { type: "boolean" },
  },
});
const seconds = Number(values.seconds ?? 60);
const seed = Number(values.seed ?? 1);
if (!Number.isFinite(seconds) || !Number.isInteger(seed)) throw new Error(USAGE);

const { on = "sqlite" } = values;
process.exitCode = (await (on === "sqlite" && values.messages === undefined ? onFiles() : onServers(on))) ? 0 : 1;

async function onFiles(): Promise<boolean> {
  const faults = values.what === "points" ? await points() : await kills();
  return faults.length === 0;
}

/** One run with many messages, on servers or a file of its own; true if nothing is wrong. */
async function onServers(name: string): Promise<boolean> {
  if (name !== "sqlite" && name !== "postgres" && name !== "rabbitmq" && name !== "kafka") throw new Error(USAGE);
  const messages = Number(values.messages ?? 100_000);
  if (!Number.isSafeInteger(messages)) throw new Error(USAGE);
  const { calm: isCalm = false, unnamed: isUnnamed = false, "keep-store": keepsStore = false, verbose: isVerbose = false } = values;
  const result = await brokerSoak({ on: name, messages, seconds, seed, isCalm, isNamed: !isUnnamed, keepsStore, isVerbose });
  console.log(JSON.stringify({ on: name, seed, ...result }, undefined, 1));
  const { effects, lost, duplicates, phantoms, inversions, crashes } = result;
  return effects > 0 && lost + duplicates + phantoms + inversions + crashes.length === 0;
}

/** Runs with random kills, each under the next seed, for as long as is asked for. */
async function kills(): Promise<readonly Fault[]> {
  const found: Fault[] = [];
  for (let done = 0, at = seed; done < seconds; done += LONGEST_RUN_S, at++) {
    const killingMs = Math.min(LONGEST_RUN_S, seconds - done) * 1000;
    const { faults, counts } = await randomRun({
      seed: at,
      killingMs,
      producers: 2,
      consumers: 3,
      leaseMs: 1000,
      stops: Math.ceil(killingMs / 6000),
    });
    console.log(JSON.stringify({ seed: at, ...counts, faults: faults.length }));
    found.push(...report(faults));
  }
  return found;
}

/** Crashes at all points, each time another n-th one. */
async function points(): Promise<readonly Fault[]> {
  const found: Fault[] = [];
  const random = seededRandom(seed);
  const endsAt = systemClock.monotonicMs() + seconds * 1000;
  let crashed = 0;
  let missed = 0;
  while (systemClock.monotonicMs() < endsAt) {
    const one = CRASH_CASES[Math.floor(random.next() * CRASH_CASES.length)]!;
    const crash = {
      ...one,
      layout: random.next() < 0.5 ? one.layout : "apart",
      nth: 1 + Math.floor(random.next() ** 3 * MAX_NTH),
    } as const;
    const { hasCrashed, faults } = await crashAt(crash);
    if (hasCrashed) crashed++;
    else missed++;
    if (faults.length > 0) console.log(JSON.stringify(crash));
    found.push(...report(faults));
  }
  console.log(JSON.stringify({ seed, crashed, missed, faults: found.length }));
  return found;
}

function report(faults: readonly Fault[]): readonly Fault[] {
  if (faults.length > 0) console.log(faultLines(faults));
  return faults;
}
