import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { systemClock } from "postrider";
import { parseLine } from "./app/lines.ts";
import type { Line } from "./app/lines.ts";
import type { WorkerConfig } from "./worker.ts";

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const WORKER = join(import.meta.dirname, "worker.ts");
const ROOT = join(import.meta.dirname, "..", "..");
const STDERR_KEPT = 8000; // characters, for the report of a failure

/** A process of the crash system, and all that it said. */
export class WorkerProcess {
  readonly config: WorkerConfig;
  readonly lines: Line[] = [];
  /** Resolves when the process is gone and all that it said is read. */
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #waiting = new Set<() => void>();
  #rest = "";
  #stderr = "";
  #ending: Ending | undefined;

  constructor(config: WorkerConfig, environment: Readonly<Record<string, string>> = {}) {
    this.config = config;
    this.#child = spawn(process.execPath, ["--conditions=@postrider/source", WORKER, JSON.stringify(config)], {
      cwd: ROOT,
      // What Node compiled is kept between starts: a worker is up in 0.25 s instead of 0.45 s (2 cores, Node 26.10, November 2026).
      env: { ...plainEnvironment(), NODE_COMPILE_CACHE: join(ROOT, ".postrider", "compiled"), ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stdout.setEncoding("utf8").on("data", (text: string) => this.#read(text));
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => (this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT)));
    const { promise, resolve, reject } = Promise.withResolvers<Ending>();
    this.ended = promise;
    this.ended.catch(() => undefined); // whoever asks hears of it
    this.#child.once("error", reject);
    this.#child.once("close", (code, signal) => {
      this.#ending = { code, signal };
      this.#wake();
      resolve(this.#ending);
    });
  }

  get isOver(): boolean {
    return this.#ending !== undefined;
  }

  /** The end of what it wrote to its standard error. */
  get stderr(): string {
    return this.#stderr;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves once it has said such a line, or with undefined once it is over without. */
  async heard(isIt: (line: Line) => boolean, limitMs = 30_000): Promise<Line | undefined> {
    const endsAt = systemClock.monotonicMs() + limitMs;
    for (let at = 0; ;) {
      for (; at < this.lines.length; at++) if (isIt(this.lines[at]!)) return this.lines[at];
      if (this.isOver) return undefined;
      if (systemClock.monotonicMs() > endsAt) throw new Error(`${this.config.name} did not say it within ${limitMs} ms\n${this.stderr}`);
      await this.#nextLine(endsAt - systemClock.monotonicMs());
    }
  }

  /** Resolves with how it ended; one that does not in time is killed, and the run fails. */
  async end(limitMs: number): Promise<Ending> {
    const timer = systemClock.after(limitMs, () => this.signal("SIGKILL"), { keepAlive: true });
    const startedMs = systemClock.monotonicMs();
    const ending = await this.ended;
    timer.cancel();
    if (systemClock.monotonicMs() - startedMs >= limitMs)
      throw new Error(`${this.config.name} did not end within ${limitMs} ms\n${this.stderr}`);
    return ending;
  }

  /** Resolves once it has ended with code 0; anything else fails, with what it wrote to its standard error. */
  async endWell(limitMs: number): Promise<void> {
    const { code, signal } = await this.end(limitMs);
    if (code !== 0) throw new Error(`${this.config.name} ended with ${code ?? signal}\n${this.stderr}`);
  }

  #nextLine(limitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = systemClock.after(Math.max(0, limitMs) + 1, resolve, { keepAlive: true });
    this.#waiting.add(resolve);
    return promise.finally(() => timer.cancel());
  }

  #read(text: string): void {
    const parts = (this.#rest + text).split("\n");
    this.#rest = parts.pop()!;
    for (const part of parts) {
      const line = parseLine(part);
      if (line !== undefined) this.lines.push(line);
    }
    this.#wake();
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resume of waiting) resume();
  }
}

/** The runner's own settings are not the worker's. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, NODE_V8_COVERAGE: _coverage, ...rest } = process.env;
  return rest;
}
