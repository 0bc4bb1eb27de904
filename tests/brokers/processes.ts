import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** Processes below a process, the nearest first: PostgreSQL has one per connection, in groups of their own. */
export function descendants(pid: number): readonly number[] {
  const parents = process.platform === "linux" ? parentsByProc() : parentsByPs();
  const found = [pid];
  for (const parent of found) found.push(...parents.filter((row) => row.parent === parent).map((row) => row.pid));
  return found.slice(1);
}

/** Whether such a process is there; one that has ended and waits to be collected is not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== "linux" || !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false; // gone
  }
}

/** Whether none of its threads runs any more: a signal that stops a process reaches them one by one, on a busy machine late. */
export function isStopped(pid: number): boolean {
  if (process.platform !== "linux") return true;
  try {
    return readdirSync(`/proc/${pid}/task`).every((thread) =>
      /\) [TtZX] [^)]*$/.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8")),
    );
  } catch {
    return !isAlive(pid); // a thread has just ended
  }
}

/** Its command line; empty if it is not there. */
export function commandOf(pid: number): string {
  try {
    return execFileSync("ps", ["-o", "command=", "-ww", "-p", `${pid}`], { encoding: "utf8" });
  } catch {
    return readCommand(pid); // a bare container has no ps
  }
}

function readCommand(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

/** Sends a signal, and does not mind if the process has just ended. */
export function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

interface Row {
  readonly pid: number;
  readonly parent: number;
}

function parentsByProc(): readonly Row[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        // "pid (name) state parent …": the name may hold anything, so count from its end.
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        return [{ pid: Number(name), parent: Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) }];
      } catch {
        return []; // ended meanwhile
      }
    });
}

function parentsByPs(): readonly Row[] {
  return execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([pid, parent]) => (pid !== undefined && parent !== undefined ? [{ pid, parent }] : []));
}
