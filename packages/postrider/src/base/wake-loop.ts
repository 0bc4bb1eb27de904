import type { Clock, Timer } from "./clock.ts";

/** What a loop does. */
export interface WakeLoopOptions {
  readonly clock: Clock;
  /** One round. Returns how long to wait for the next, in milliseconds. Must not reject. */
  readonly round: () => Promise<number>;
}

/**
 * Runs rounds, one at a time: at once when it is woken, else after the wait that the last round asked for.
 *
 * States: *idle* (not started), *running* (a round is under way; a wake means one more right after it), *waiting* (a timer is set; a wake
 * ends the wait), *stopped* (for good). It never polls faster than its rounds ask for.
 */
export class WakeLoop {
  readonly #options: WakeLoopOptions;
  #state: "idle" | "running" | "waiting" | "stopped" = "idle";
  #isWoken = false;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;

  constructor(options: WakeLoopOptions) {
    this.#options = options;
  }

  get isStopped(): boolean {
    return this.#state === "stopped";
  }

  /** Runs the first round. */
  start(): void {
    if (this.#state !== "idle") return;
    this.#state = "waiting";
    this.wake();
  }

  /** Asks for a round now. Does nothing before the start and after the stop. */
  wake(): void {
    if (this.#state === "running") this.#isWoken = true;
    if (this.#state !== "waiting") return;
    this.#timer?.cancel();
    this.#state = "running";
    this.#running = this.#run();
  }

  /** Begins no more rounds, and resolves when the one under way has ended. May be called twice. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#timer?.cancel();
    await this.#running;
  }

  async #run(): Promise<void> {
    let waitMs = 0;
    do {
      this.#isWoken = false;
      waitMs = await this.#options.round();
    } while (this.#isWoken && !this.isStopped);
    if (this.isStopped) return;
    this.#state = "waiting";
    this.#timer = this.#options.clock.after(waitMs, () => this.wake());
  }
}
