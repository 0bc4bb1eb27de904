import type { Clock } from "../../base/clock.ts";

/** Waits for the end of some work, well or badly, but no longer than that. */
export async function within(clock: Clock, limitMs: number, work: Promise<unknown>): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = clock.after(limitMs, resolve, { keepAlive: true });
    const done = (): void => {
      timer.cancel();
      resolve();
    };
    work.then(done, done);
  });
}
