import { Worker } from "node:worker_threads";
import type { Clock } from "../../base/clock.ts";
import { fail, reasonOf } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { CheckpointAnswer, CheckpointOrder } from "./checkpoint-order.ts";

/** What a checkpointer stands on. */
export interface CheckpointerOptions {
  readonly file: string;
  readonly pageBytes: number;
  readonly clock: Clock;
  /** Above this the log is started afresh, which holds writers up for a moment. */
  readonly limitBytes: number;
  readonly onError: (error: PostriderError) => void;
}

// Somebody may read the old log for long (a backup, a shell): then it cannot be started afresh, and writers are not held up for another try before this.
const RESTART_RETRY_MS = 5000;

/**
 * Moves committed pages from the log into the database, in a thread of its own.
 *
 * A passive checkpoint holds nobody up, but while others go on writing it never ends, and only an ended one lets the log begin again. So above a limit it is
 * followed by one that holds the write lock for the little that came meanwhile; our own writer waits, so that the lock is free at once.
 */
export class Checkpointer {
  readonly #options: CheckpointerOptions;
  #worker: Worker;
  #pending: { readonly order: CheckpointOrder; readonly resolve: () => void } | undefined;
  #isDirty = false;
  #logBytes = 0;
  #isDead = false;
  #restartNotBeforeMs = -Infinity;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    this.#worker = this.#spawn();
  }

  /** Whether the log is being started afresh, so that writers wait. */
  get isRestarting(): boolean {
    return this.#pending?.order === "restart";
  }

  /** Something was written. */
  note(): void {
    this.#isDirty = true;
  }

  /** Called again and again: moves what there is. */
  tick(): void {
    if (this.#pending !== undefined || (!this.#isDirty && this.#logBytes <= this.#options.limitBytes)) return;
    if (this.#isDead) this.#worker = this.#spawn();
    this.#isDead = false;
    this.#isDirty = false;
    void this.#order("passive");
  }

  /** Moves everything, so that the last one to close the file has nothing left to do, and ends the thread. */
  async close(): Promise<void> {
    while (this.#pending !== undefined && !this.#isDead)
      await new Promise<void>((resolve) => (this.#pending = { ...this.#pending!, resolve }));
    if (!this.#isDead) await this.#order("truncate");
    if (this.#isDead) return;
    this.#worker.ref();
    const gone = new Promise((resolve) => this.#worker.once("exit", resolve));
    this.#worker.postMessage("end" satisfies CheckpointOrder);
    await gone;
  }

  #spawn(): Worker {
    // Beside this file, as source or as built.
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const worker = new Worker(new URL(`./checkpoint-worker.${extension}`, import.meta.url), {
      workerData: this.#options.file,
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 }, // it holds nothing
    });
    worker.unref();
    worker.on("message", (answer: CheckpointAnswer) => this.#answered(answer));
    worker.on("error", (error: unknown) => this.#died(error));
    return worker;
  }

  #order(order: CheckpointOrder): Promise<void> {
    return new Promise((resolve) => {
      this.#pending = { order, resolve };
      this.#worker.ref(); // an order under way keeps the process
      this.#worker.postMessage(order);
    });
  }

  #answered(answer: CheckpointAnswer): void {
    const { order, resolve } = this.#pending!;
    this.#pending = undefined;
    this.#worker.unref();
    if ("error" in answer)
      this.#options.onError(fail("PR_STORE_FAILED", { store: this.#options.file, during: "a checkpoint", detail: answer.error }));
    else this.#measured(order, answer);
    resolve();
  }

  #measured(order: CheckpointOrder, { logFrames, isComplete }: { readonly logFrames: number; readonly isComplete: boolean }): void {
    const { clock, limitBytes, pageBytes } = this.#options;
    // After a complete one the next write begins the log again.
    this.#logBytes = isComplete && order !== "passive" ? 0 : logFrames * pageBytes;
    if (order === "restart" && !isComplete) this.#restartNotBeforeMs = clock.monotonicMs() + RESTART_RETRY_MS;
    if (order === "passive" && this.#logBytes > limitBytes && clock.monotonicMs() >= this.#restartNotBeforeMs) void this.#order("restart");
  }

  #died(cause: unknown): void {
    this.#isDead = true;
    this.#options.onError(
      fail("PR_STORE_FAILED", { store: this.#options.file, during: "a checkpoint", detail: reasonOf(cause) }, { cause }),
    );
    this.#pending?.resolve();
    this.#pending = undefined;
  }
}
