import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { ORDER_BYTES, orders } from "./src/order.ts";

interface Results {
  readonly cases: readonly {
    readonly name: string;
    readonly rounds: readonly Readonly<Record<string, number>>[];
    readonly median: Readonly<Record<string, number>>;
    readonly againstBaseline?: { readonly baseline: string; readonly ratio: number };
  }[];
  readonly failed: readonly unknown[];
}

const RUN = join(import.meta.dirname, "run.ts");
const folder = mkdtempSync(join(tmpdir(), "postrider-bench-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a quick run of two cases measures both, compares them and leaves nothing behind", async () => {
  const out = join(folder, "results.json");
  const flags = ["--quick", "--only", "embedded-100,embedded-row-100", "--out", out, "--dir", folder];
  const { stdout } = await promisify(execFile)(process.execPath, ["--conditions=@postrider/source", RUN, ...flags]);

  const { cases, failed } = JSON.parse(readFileSync(out, "utf8")) as Results;
  expect(failed).toEqual([]);
  expect(cases.map(({ name }) => name)).toEqual(["embedded-100", "embedded-row-100"]);
  for (const { rounds, median } of cases) {
    expect(rounds).toHaveLength(1);
    expect(median["messages"]).toBeGreaterThan(0);
    expect(median["messagesPerSecond"]).toBeGreaterThan(0);
    expect(median["cpuMicros"]).toBeGreaterThan(0);
  }
  expect(cases[1]?.againstBaseline).toMatchObject({ baseline: "embedded-100", ratio: expect.any(Number) as number });
  expect(stdout).toMatch(/embedded-row-100 .* × embedded-100/);
  expect(readdirSync(folder)).toEqual(["results.json"]);
});

test("a case that does not exist is refused before anything runs", async () => {
  const run = promisify(execFile)(process.execPath, ["--conditions=@postrider/source", RUN, "--only", "embedded-99"]);
  await expect(run).rejects.toMatchObject({ stderr: expect.stringContaining("no case or group is called embedded-99") as string });
});

test("every message of the bench is exactly as long as it says", () => {
  const order = orders();
  for (const n of [0, 1, 63, 64, 999_999_999]) expect(Buffer.byteLength(JSON.stringify(order(n)))).toBe(ORDER_BYTES);
});
