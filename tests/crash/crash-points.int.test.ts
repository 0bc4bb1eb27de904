import { describe, expect, test } from "vitest";
import type { Layout } from "./app/infrastructure.ts";
import type { ScriptName } from "./app/script.ts";
import { CRASH_CASES, crashAt } from "./points.ts";
import { CrashRun } from "./run.ts";

const SCRIPTS: readonly (readonly [Layout, ScriptName])[] = [
  ["one", "everything"],
  ["apart", "everything"],
  ["apart", "refusals"],
];

describe.concurrent("without a crash", () => {
  test.each(SCRIPTS)("on files %s, the script %s keeps every promise, and comes by no place that it was never crashed at", async (layout, script) => {
    using run = new CrashRun(layout);
    const { lines } = await run.runWell({ name: "only", role: "play", script, saysLogs: true });
    expect(run.faults()).toEqual([]);
    const tried = new Set(CRASH_CASES.map(({ point }) => point));
    const reached = lines.flatMap((line) => (line.says === "points" ? Object.keys(line.counts) : []));
    expect(reached.length).toBeGreaterThan(0);
    expect(reached.filter((point) => !tried.has(point))).toEqual([]);
  });
});

describe.concurrent("a crash, and a start after it", () => {
  test.each(CRASH_CASES)("at $point #$nth ($layout, $script): nothing is lost, repeated or out of order", async (crash) => {
    expect(await crashAt(crash)).toEqual({ hasCrashed: true, faults: [] });
  });
});
