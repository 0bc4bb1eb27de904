import { fork, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import type { CaseContext, CaseResult } from "./case.ts";

const ENTRY = join(import.meta.dirname, "..", "run-case.ts");
const EXIT_GRACE_MS = 10_000;
const SHOWN_CHARACTERS = 2000;
const DEFAULT_LIMIT_SECONDS = 180;

/** What a child is asked to run: the context of its case, and whatever else the case hands on. */
export type ChildTask = CaseContext & { readonly [extra: string]: unknown };

/**
 * Runs a case in a process of its own, so that no case inherits another's heap or compiled code.
 *
 * @throws with the end of what it wrote to stderr when it ends without a result; it is killed at its limit.
 */
export async function childOf(name: string, task: ChildTask, limitSeconds: number = DEFAULT_LIMIT_SECONDS): Promise<CaseResult> {
  const child = fork(ENTRY, [name, JSON.stringify(task)], { stdio: ["ignore", "inherit", "pipe", "ipc"], execArgv: process.execArgv });
  const kill = (): void => void child.kill("SIGKILL");
  process.prependOnceListener("exit", kill); // before the folders go
  const limit = setTimeout(kill, limitSeconds * 1000);
  try {
    return await resultOf(name, child);
  } finally {
    clearTimeout(limit);
    process.off("exit", kill);
  }
}

function resultOf(name: string, child: ChildProcess): Promise<CaseResult> {
  return new Promise((resolve, reject) => {
    let [stderr, result, grace] = ["", undefined as CaseResult | undefined, undefined as NodeJS.Timeout | undefined];
    child.stderr!.on("data", (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-SHOWN_CHARACTERS)));
    child.once("message", (message) => {
      result = message as CaseResult;
      grace = setTimeout(() => child.kill("SIGKILL"), EXIT_GRACE_MS);
    });
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(grace);
      if (result === undefined) reject(new Error(`${name} ended with ${signal ?? String(code)} and no result:\n${stderr}`));
      else resolve(signal === null ? result : { ...result, notes: [...(result.notes ?? []), "its process did not end by itself"] });
    });
  });
}
