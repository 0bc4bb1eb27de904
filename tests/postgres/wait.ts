import { setTimeout as sleep } from "node:timers/promises";

/** Waits until something holds; the test's own limit ends the wait. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(20);
}
