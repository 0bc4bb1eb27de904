import { describe, expect, test } from "vitest";
import type { Layout } from "./app/infrastructure.ts";
import type { ScriptName } from "./app/script.ts";
import { faultLines } from "./fault.ts";
import { CRASH_CASES, crashAt } from "./points.ts";
import { CrashRun } from "./run.ts";

const SCRIPTS: readonly (readonly [Layout, ScriptName])[] = [
  ["one", "everything"],
  ["apart", "everything"],
  ["apart", "refusals"],
];

describe.concurrent("without a crash", () => {
  test.each(SCRIPTS)(
    "on files %s, the script %s keeps every promise, and comes by no place that it was never crashed at",
    async (layout, script) => {
      using run = new CrashRun(layout);
      const { lines } = await run.runWell({ name: "only", role: "play", script, saysLogs: true });
      const faults = run.faults();
      expect(faults, faultLines(faults)).toEqual([]);
      const tried = new Set(CRASH_CASES.map(({ point }) => point));
      const reached = lines.flatMap((line) => (line.says === "points" ? Object.keys(line.counts) : []));
      expect(reached.length).toBeGreaterThan(0);
      expect(reached.filter((point) => !tried.has(point))).toEqual([]);
    },
  );
});

describe.concurrent("a crash, and a start after it", () => {
  test.each(CRASH_CASES)("at $point #$nth ($layout, $script): nothing is lost, repeated or out of order", async (crash) => {
    const { hasCrashed, faults } = await crashAt(crash);
    expect(faults, faultLines(faults)).toEqual([]);
    expect(hasCrashed, "the place was never reached").toBe(true);
  });
});
