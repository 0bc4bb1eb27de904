import { expect, test } from "vitest";
import { faultLines } from "./fault.ts";
import { randomRun } from "./random-kills.ts";

const SEED = Number(process.env["POSTRIDER_CRASH_SEED"] ?? 20_261_121);

test("producers and consumers on one file are killed and stopped at random: nothing is lost, repeated or out of order", async () => {
  console.log(`random kills: POSTRIDER_CRASH_SEED=${SEED}`);
  const { faults, counts } = await randomRun({ seed: SEED, killingMs: 8000, producers: 2, consumers: 3, leaseMs: 1000, stops: 2 });
  console.log("random kills:", counts);
  expect(faults, faultLines(faults)).toEqual([]);
  expect(counts.kills).toBeGreaterThan(5);
  expect(counts.acknowledged).toBeGreaterThan(200);
});
