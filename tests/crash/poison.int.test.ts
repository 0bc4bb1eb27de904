import { expect, test } from "vitest";
import type { Line } from "./app/lines.ts";
import { faultLines } from "./fault.ts";
import { CrashRun } from "./run.ts";

const MAX_STARTS = 4; // the default of a service
/** What a supervisor would do is done at most so often: a poison loop must end by itself long before. */
const MOST_RESTARTS = 12;

test("one message of 1000 that ends its process becomes a dead letter after four starts, and its neighbours are handled once", async () => {
  using run = new CrashRun("one");
  await run.runWell({ name: "sender", role: "post", script: "poison" });
  let aborts = 0;
  for (; aborts < MOST_RESTARTS; aborts++) {
    const { code } = await run.start({ name: `handler.${aborts}`, role: "settle", redrives: false, saysBegun: true }).end(60_000);
    if (code === 0) break;
  }
  expect(aborts).toBe(MAX_STARTS);
  expect(run.lines.filter(isDeadLetter)).toMatchObject([{ service: "doer", list: "failed", code: "PR_POISON", id: "sender/500" }]);
  expect(run.history().effects.filter(({ handler }) => handler === "doer/job.do")).toHaveLength(999);
  const faults = run.faults();
  expect(faults, faultLines(faults)).toEqual([]);
});

function isDeadLetter(line: Line): boolean {
  return line.says === "deadLetter";
}
