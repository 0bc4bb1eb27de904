import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, globSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

/** A server that this run started, or was given by the environment. */
export interface Server extends AsyncDisposable {
  readonly url: string;
  readonly version: string;
}

/** Said where a server cannot be had: its cases are left out, with this reason. */
export class Unavailable extends Error {}

const START_LIMIT_MS = 15_000;
const POLL_MS = 50;

/** Path of a program, looked for on the PATH and in folders beside it. @throws Unavailable */
export function programPath(name: string, folders: readonly string[] = []): string {
  const places = [...(process.env["PATH"] ?? "").split(delimiter), ...folders.flatMap((folder) => globSync(folder).sort().toReversed())];
  const found = places.map((folder) => join(folder, name)).find(isExecutable);
  if (found === undefined) throw new Unavailable(`${name} is not installed here`);
  return found;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}

/** What a program answers to `--version`, without its name. */
export async function versionOf(program: string): Promise<string> {
  const { stdout } = await promisify(execFile)(program, ["--version"]);
  return /\d+\.\d+(\.\d+)?/.exec(stdout)?.[0] ?? stdout.trim();
}

/** Starts a server and waits until it answers; the returned function ends that one process and waits for its end. */
export async function startProcess(
  program: string,
  args: readonly string[],
  { answers, cwd, stopSignal }: { readonly answers: () => Promise<void>; readonly cwd: string; readonly stopSignal: NodeJS.Signals },
): Promise<() => Promise<void>> {
  const child = spawn(program, args, { cwd, stdio: ["ignore", "ignore", "pipe"] });
  const kill = (): void => void child.kill("SIGKILL");
  process.prependOnceListener("exit", kill); // before the folders go
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-2000)));
  const stop = async (): Promise<void> => {
    process.off("exit", kill);
    if (hasEnded(child)) return;
    child.kill(stopSignal);
    await once(child, "exit");
  };
  try {
    await untilItAnswers(child, answers);
  } catch (error) {
    await stop();
    throw new Unavailable(`${program} did not start: ${stderr.trim() || String(error)}`, { cause: error });
  }
  return stop;
}

async function untilItAnswers(child: ChildProcess, answers: () => Promise<void>): Promise<void> {
  const givenUpMs = performance.now() + START_LIMIT_MS;
  let spawnError: Error | undefined;
  child.once("error", (error) => (spawnError = error));
  for (;;) {
    try {
      return await answers();
    } catch (error) {
      if (spawnError !== undefined) throw spawnError;
      if (hasEnded(child) || performance.now() > givenUpMs) throw error;
    }
    await sleep(POLL_MS);
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
