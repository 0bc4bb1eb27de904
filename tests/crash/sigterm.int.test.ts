import { expect, test } from "vitest";
import { seededRandom } from "../../packages/postrider/src/base/random.ts";
import type { WorkerProcess } from "./process.ts";
import { faultLines } from "./fault.ts";
import { CrashRun } from "./run.ts";

const ROUNDS = 6;
const DRAIN_LIMIT_MS = 10_000; // the bus drains for 8 s at most
/** A handler that was about to start when the signal came is no new one. */
const STARTING_MS = 50;

test("a process that gets SIGTERM under load ends in time with code 0, and nothing is lost or given up", async () => {
  const seed = Number(process.env["POSTRIDER_CRASH_SEED"] ?? 1);
  console.log(`SIGTERM: POSTRIDER_CRASH_SEED=${seed}`);
  const random = seededRandom(seed);
  using run = new CrashRun("one");
  await run.runWell({ name: "sender", role: "post", script: "load" });
  for (let round = 0; round < ROUNDS; round++) {
    const producer = run.start({ name: `producer.${round}`, role: "produce", seed: round });
    const consumer = run.start({ name: `consumer.${round}`, role: "consume", saysBegun: true });
    // Sometimes while it starts, mostly after so many handlers.
    const begun = round % 4 === 3 ? 0 : 1 + Math.floor(random.next() * 60);
    await Promise.all([hearSome(consumer, begun), hearSome(producer, 0)]);
    for (const worker of [consumer, producer]) worker.signal("SIGTERM");
    await Promise.all([consumer.endWell(DRAIN_LIMIT_MS), producer.endWell(DRAIN_LIMIT_MS)]);
    expect(startedAfterSignal(consumer)).toEqual([]);
  }
  await run.runWell({ name: "last", role: "settle" });
  const givenUp = run.lines.filter((line) => line.says === "redriven" && line.list === "failed");
  expect(givenUp.filter((line) => line.says === "redriven" && line.code !== "HOPELESS")).toEqual([]);
  const faults = run.faults();
  expect(faults, faultLines(faults)).toEqual([]);
});

/** Waits until so many handlers have begun; with none, until the process can be signalled. */
async function hearSome(worker: WorkerProcess, begun: number): Promise<void> {
  let count = 0;
  await worker.heard((line) => (begun === 0 ? line.says === "loaded" : line.says === "begun" && ++count >= begun));
}

/** First starts; that a handler under way fails and runs again in place is none. */
function startedAfterSignal({ lines }: WorkerProcess): readonly string[] {
  const signalledAt = lines.find((line) => line.says === "signalled")?.at ?? 0;
  const known = new Set<string>();
  return lines.flatMap((line) => {
    const what = line.says === "begun" ? `${line.handler} of ${line.id}` : "";
    if (line.says !== "begun" || known.has(what)) return [];
    known.add(what);
    return line.at > signalledAt + STARTING_MS ? [`${what} began ${line.at - signalledAt} ms after the signal`] : [];
  });
}
