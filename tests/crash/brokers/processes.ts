import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { SoakWorker } from "./worker.ts";

const WORKER = join(import.meta.dirname, "worker.ts");
const ROOT = join(import.meta.dirname, "..", "..", "..");
const KEPT = 4000; // characters of what one process wrote last

/** A place for a process of a soak, which is never empty for long. */
export class SoakSlot {
  /** What its processes wrote last: warnings of a broker that is away, and whatever else. */
  said = "";
  readonly #config: SoakWorker;
  #generation = 0;
  #child: ChildProcess;

  constructor(config: SoakWorker) {
    this.#config = config;
    this.#child = this.#start();
  }

  get name(): string {
    return `${this.#config.name}.${this.#generation - 1}`;
  }

  /** Its name, which stays with it from one process to the next. */
  get place(): string {
    return this.#config.name;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get role(): SoakWorker["role"] {
    return this.#config.role;
  }

  /** Whether its process has ended by itself. */
  get isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** How its process ended, where that was neither well nor by a signal of ours. */
  get crash(): string | undefined {
    const { exitCode, signalCode } = this.#child;
    const isOurs = signalCode === "SIGKILL" || signalCode === "SIGTERM";
    return !this.isOver || exitCode === 0 || isOurs ? undefined : `${this.#config.name} ended with ${exitCode ?? signalCode}`;
  }

  async replace(): Promise<void> {
    await this.end("SIGKILL");
    this.#child = this.#start();
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.isOver) return;
    const gone = once(this.#child, "exit");
    this.#child.kill(signal);
    await gone;
  }

  #start(): ChildProcess {
    const name = `${this.#config.name}.${this.#generation++}`;
    const child = spawn(process.execPath, ["--conditions=@postrider/source", WORKER, JSON.stringify({ ...this.#config, name })], {
      cwd: ROOT,
      env: { ...process.env, NODE_COMPILE_CACHE: join(ROOT, ".postrider", "compiled") },
      stdio: ["ignore", "ignore", "pipe"],
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.said = (this.said + text).slice(-KEPT)));
    return child;
  }
}
