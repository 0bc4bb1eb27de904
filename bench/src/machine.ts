import { execFile } from "node:child_process";
import { closeSync, fdatasyncSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** What the figures of a run belong to. */
export interface Machine {
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly os: string;
  /** Syncs of 1 KiB that the disk acknowledges in a second: durable rates scale with it. */
  readonly diskSyncsPerSecond: number;
  /** Work of others when the run began: above a fraction of the cores, absolute figures mean little. */
  readonly loadAverage: number;
}

const GIB = 1024 ** 3;
const SYNC_PROBE_MS = 500;
const TMPFS = 0x01021994; // statfs(2)
const BUSY_SHARE = 0.25;

/** Looks at the machine, and at the disk under `folder`. */
export function lookAtMachine(folder: string): Machine {
  return {
    node: process.versions.node,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / GIB),
    os: `${type()} ${release()}`,
    diskSyncsPerSecond: Math.round(syncsPerSecond(join(folder, "sync-probe"))),
    loadAverage: loadavg()[0]!,
  };
}

/** What would make the figures mean less than they seem to. */
export function warningsAbout(machine: Machine, folder: string): readonly string[] {
  const warnings: string[] = [];
  if (machine.loadAverage > machine.cores * BUSY_SHARE) {
    warnings.push(`load average ${machine.loadAverage.toFixed(1)}: others are busy here, so believe ratios at most`);
  }
  if (statfsSync(folder).type === TMPFS) warnings.push("the folder is in memory (tmpfs): nothing is synced to a disk");
  return warnings;
}

/** The commit that was measured; with `+` when files were changed since. */
export async function commitOf(folder: string): Promise<string> {
  const git = async (...args: readonly string[]): Promise<string> =>
    (await promisify(execFile)("git", args, { cwd: folder })).stdout.trim();
  try {
    const changes = await git("status", "--porcelain", "--untracked-files=no");
    return `${await git("rev-parse", "--short=12", "HEAD")}${changes === "" ? "" : "+"}`;
  } catch {
    return "unknown";
  }
}

function syncsPerSecond(path: string): number {
  const file = openSync(path, "w");
  const block = Buffer.alloc(1024, 1);
  const started = performance.now();
  let syncs = 0;
  for (; performance.now() - started < SYNC_PROBE_MS; syncs++) {
    writeSync(file, block);
    fdatasyncSync(file);
  }
  const rate = (syncs / (performance.now() - started)) * 1000;
  closeSync(file);
  rmSync(path);
  return rate;
}
