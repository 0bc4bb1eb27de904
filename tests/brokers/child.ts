import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { guard } from "./guard.ts";
import { descendants, isAlive, isStopped, signalTo } from "./processes.ts";
import type { Program, Run } from "./recipe.ts";

const END_LIMIT_MS = 10_000;
const LOOK_MS = 10;
const LOG_SHOWN = 2000; // characters

/** One run of a program under the guard, with all processes below it. */
export class Child implements Run {
  readonly #program: Program;
  readonly #log: string;
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;
  #isOver = false;

  /** @param log  file that gets what it prints, behind what is there */
  constructor(program: Program, log: string) {
    this.#program = program;
    this.#log = log;
    const output = openSync(log, "a");
    this.#process = spawn(program.file, program.args, {
      cwd: program.cwd,
      env: { ...process.env, ...program.env },
      ...program.user,
      // Its own session: a Ctrl-C in the terminal is for who owns it.
      detached: true,
      stdio: [program.needsInput === true ? "pipe" : "ignore", output, output],
    });
    closeSync(output);
    if (this.#process.pid !== undefined) guard().addProcess(this.#process.pid, program.endSignal);
    this.#exited = this.#watch();
    this.#process.unref();
    (this.#process.stdin as unknown as { unref(): void } | null)?.unref();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  async output(): Promise<string> {
    return readFileSync(this.#log, "utf8").slice(-LOG_SHOWN);
  }

  async kill(): Promise<void> {
    const below = this.#below();
    this.#signal("SIGKILL");
    for (const pid of below) signalTo(pid, "SIGKILL");
    await this.#gone();
    while (below.some(isAlive)) await sleep(LOOK_MS);
  }

  async freeze(): Promise<void> {
    // The server before its children: it could else make one between the look and the signal.
    this.#signal("SIGSTOP");
    const below = this.#below();
    for (const pid of below) signalTo(pid, "SIGSTOP");
    const all = this.#process.pid === undefined || this.#isOver ? below : [this.#process.pid, ...below];
    while (!this.#isOver && !all.every(isStopped)) await sleep(LOOK_MS);
  }

  async thaw(): Promise<void> {
    for (const pid of this.#below()) signalTo(pid, "SIGCONT");
    this.#signal("SIGCONT");
  }

  async end(limitMs: number = END_LIMIT_MS): Promise<void> {
    await this.thaw();
    this.#signal(this.#program.endSignal);
    const limit = new AbortController();
    const late = sleep(limitMs, true, { signal: limit.signal }).catch(() => false);
    const isLate = await Promise.race([late, this.#gone().then(() => false)]);
    limit.abort();
    if (isLate) await this.kill();
  }

  #below(): readonly number[] {
    return this.#isOver || this.#process.pid === undefined ? [] : descendants(this.#process.pid);
  }

  #signal(signal: NodeJS.Signals): void {
    if (!this.#isOver && this.#process.pid !== undefined) signalTo(this.#process.pid, signal);
  }

  async #gone(): Promise<void> {
    if (this.#isOver) return;
    this.#process.ref();
    await this.#exited;
  }

  async #watch(): Promise<void> {
    await Promise.race([once(this.#process, "exit"), once(this.#process, "error")]).catch(() => undefined); // could not be spawned: over as well
    this.#isOver = true;
    if (this.#process.pid !== undefined) guard().removeProcess(this.#process.pid);
  }
}
