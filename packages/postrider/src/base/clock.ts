/** A pending call that can be taken back. */
export interface Timer {
  /** Takes the call back; does nothing once it has happened. */
  cancel(): void;
}

/** Time as the library sees it. Injected everywhere, so that tests and the simulator own it. */
export interface Clock {
  /** Wall time in milliseconds since the epoch. */
  now(): number;
  /** A time in milliseconds that never goes back; only differences mean something. */
  monotonicMs(): number;
  /** Calls back once after `delayMs`. Timers do not keep the process alive unless `keepAlive`. */
  after(delayMs: number, callback: () => void, options?: { readonly keepAlive?: boolean }): Timer;
  /** Resolves after `delayMs`; rejects with the signal's reason when it aborts first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
  /** Resolves after everything that is ready now has had its turn, input and output included. */
  yield(): Promise<void>;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, callback, options) {
    const handle = setTimeout(callback, delayMs);
    if (options?.keepAlive !== true) handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
  sleep: (delayMs, signal) => sleepOn(systemClock, delayMs, signal),
  yield: () => new Promise((resolve) => void setImmediate(resolve)),
};

/** A sleep built on a clock's `after`: for clocks of your own. */
export function sleepOn(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason as Error);
    const timer = clock.after(delayMs, done, { keepAlive: true });
    signal?.addEventListener("abort", aborted, { once: true });
    function done(): void {
      signal?.removeEventListener("abort", aborted);
      resolve();
    }
    function aborted(): void {
      timer.cancel();
      reject(signal?.reason as Error);
    }
  });
}
