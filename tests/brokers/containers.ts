import { execFileSync } from "node:child_process";
import { runToEnd } from "./run-to-end.ts";
import { guard } from "./guard.ts";
import type { Container, Run } from "./recipe.ts";

const INFO_LIMIT_MS = 10_000;
const LOG_LINES = "40";
const made = new Set<string>();
let answers: boolean | undefined;

/** Whether Docker's daemon answers; asked once. */
export function hasDocker(): boolean {
  return (answers ??= asksDocker());
}

function asksDocker(): boolean {
  try {
    execFileSync("docker", ["info"], { stdio: "ignore", timeout: INFO_LIMIT_MS });
    return true;
  } catch {
    return false; // not installed, or its daemon does not run
  }
}

/** Makes the container at the first call, and starts it again at later ones. Its data lives as long as it. */
export async function startContainer(name: string, container: Container): Promise<Run> {
  if (made.has(name)) await docker("start", name);
  else await docker("run", "--detach", "--name", register(name), ...optionsOf(container), container.image, ...(container.args ?? []));
  return new RunningContainer(name);
}

export async function removeContainer(name: string): Promise<void> {
  if (!made.delete(name)) return;
  await docker("rm", "--force", "--volumes", name);
  guard().removeContainer(name);
}

/** The guard must know it before it is there. */
function register(name: string): string {
  guard().addContainer(name);
  made.add(name);
  return name;
}

function optionsOf({ env = {}, ports, files = {} }: Container): readonly string[] {
  return [
    ...Object.entries(env).flatMap(([key, value]) => ["--env", `${key}=${value}`]),
    ...Object.entries(ports).flatMap(([host, inside]) => ["--publish", `127.0.0.1:${host}:${inside}`]),
    ...Object.entries(files).flatMap(([host, inside]) => ["--volume", `${host}:${inside}:ro`]),
  ];
}

class RunningContainer implements Run {
  readonly #name: string;
  #isOver = false;
  #isFrozen = false;

  constructor(name: string) {
    this.#name = name;
  }

  /** As far as we ended it: one that ended by itself is noticed by its silence. */
  get isOver(): boolean {
    return this.#isOver;
  }

  output(): Promise<string> {
    return docker("logs", "--tail", LOG_LINES, this.#name);
  }

  async kill(): Promise<void> {
    if (this.#isOver) return;
    await this.thaw();
    await docker("kill", this.#name);
    this.#isOver = true;
  }

  async freeze(): Promise<void> {
    if (this.#isFrozen) return;
    await docker("pause", this.#name);
    this.#isFrozen = true;
  }

  async thaw(): Promise<void> {
    if (!this.#isFrozen) return;
    await docker("unpause", this.#name);
    this.#isFrozen = false;
  }

  async end(): Promise<void> {
    await this.kill();
  }
}

function docker(...args: readonly string[]): Promise<string> {
  return runToEnd({ file: "docker", args, cwd: "/" });
}
