import type { Layout } from "./app/infrastructure.ts";
import type { ScriptName } from "./app/script.ts";
import type { Fault } from "./fault.ts";
import { CrashRun } from "./run.ts";

/** A place to crash at, in a run of a script. */
export interface CrashCase {
  readonly layout: Layout;
  readonly script: ScriptName;
  readonly point: string;
  readonly nth: number;
}

/** What a crash came to. */
export interface CrashOutcome {
  /** Whether the process was killed there; if not, the point was never reached and nothing is shown. */
  readonly hasCrashed: boolean;
  readonly faults: readonly Fault[];
}

// The n-th time is chosen so that several others are under way; 1 where the first is the case that matters.
const ONE_FILE: Readonly<Record<string, readonly number[]>> = {
  "before-apply": [1],
  "after-apply": [1],
  "before-begin": [40],
  "after-begin": [40],
  "before-commit": [20],
  "after-commit": [20],
  "before-send": [1],
  "after-send": [1],
  "before-enlist": [2],
  "after-enlist": [7],
  "before-settleIn": [1],
  "after-settleIn": [11],
  "before-ack": [1],
  "after-ack": [1],
  "before-inbox.record": [2],
  "after-inbox.record": [4],
  "before-starts.markTaken": [1],
  "after-starts.markTaken": [1],
  "before-starts.countStart": [2],
  "after-starts.countStart": [1],
  "before-starts.forget": [1],
  "after-starts.forget": [3],
  "before-effects.begin": [1],
  "after-effects.begin": [1],
  "before-effects.finish": [1],
  "after-effects.finish": [1],
  "before-schedule.put": [1],
  "after-schedule.put": [2],
  "before-schedule.takeDue": [1],
  "after-schedule.takeDue": [1],
  "before-held.put": [4],
  "after-held.put": [3],
  "after-held.claimDue": [4],
  "before-held.complete": [2],
  "after-held.complete": [1],
  "before-held.postpone": [1],
  "after-held.postpone": [1],
  "before-held.releaseNext": [1],
  "after-held.releaseNext": [2],
  "before-deadLetters.add": [1],
  "after-deadLetters.add": [2],
  "before-deadLetters.remove": [1],
  "after-deadLetters.remove": [2],
};

const APART: Readonly<Record<string, readonly number[]>> = {
  "before-commit": [24],
  "after-commit": [22],
  "before-send": [2],
  "after-send": [2],
  "before-ack": [9],
  "after-ack": [5],
  "before-inbox.record": [6],
  "after-inbox.record": [12],
  "before-outbox.append": [2],
  "after-outbox.append": [9],
  "after-outbox.claim": [1],
  "before-outbox.done": [1],
  "after-outbox.done": [2],
};

const REFUSALS: Readonly<Record<string, readonly number[]>> = {
  "before-outbox.giveBack": [1],
  "after-outbox.giveBack": [1],
  "before-outbox.bury": [1],
  "after-outbox.bury": [1],
  "after-deadLetters.remove": [1],
};

/** Every crash that the tests try. */
export const CRASH_CASES: readonly CrashCase[] = [
  ...casesOf("one", "everything", ONE_FILE),
  ...casesOf("apart", "everything", APART),
  ...casesOf("apart", "refusals", REFUSALS),
  // The first of its kind in a run where nothing else can be: what a removed guard is shown by.
  { layout: "one", script: "schedule", point: "before-enlist", nth: 1 },
  { layout: "one", script: "charge", point: "before-begin", nth: 2 },
  { layout: "one", script: "charge", point: "after-commit", nth: 2 },
  { layout: "one", script: "redrive", point: "before-deadLetters.add", nth: 1 },
  { layout: "one", script: "redrive", point: "before-held.put", nth: 1 },
  { layout: "apart", script: "charge", point: "before-send", nth: 1 },
  { layout: "apart", script: "charge", point: "before-commit", nth: 3 },
  { layout: "apart", script: "charge", point: "before-ack", nth: 1 },
  { layout: "apart", script: "step", point: "before-ack", nth: 1 },
];

/** Runs a script until it crashes there, starts again without the crash, and checks what became of everything. */
export async function crashAt({ layout, script, point, nth }: CrashCase): Promise<CrashOutcome> {
  using run = new CrashRun(layout);
  const crashed = run.start({ name: "first", role: "play", script, saysLogs: true }, { POSTRIDER_CRASH_AT: `${point}:${nth}` });
  const { signal } = await crashed.end(60_000);
  if (signal !== "SIGKILL") return { hasCrashed: false, faults: [] };
  await run.recover();
  return { hasCrashed: true, faults: run.faults() };
}

function casesOf(layout: Layout, script: ScriptName, points: Readonly<Record<string, readonly number[]>>): readonly CrashCase[] {
  return Object.entries(points).flatMap(([point, nths]) => nths.map((nth) => ({ layout, script, point, nth })));
}
