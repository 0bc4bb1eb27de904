import assert from "node:assert/strict";

const STEP_MS = 5;
const QUIET_MS = 60;

/** Lets time pass until something holds. */
export interface Waiting {
  readonly pass: (ms: number) => Promise<void>;
}

/** Waits until `condition` holds; fails after `limitMs` of the adapter's time (default 15 s). */
export async function until(
  waiting: Waiting,
  condition: () => boolean | Promise<boolean>,
  what: string,
  limitMs: number = 15_000,
): Promise<void> {
  for (let waitedMs = 0; !(await condition()); waitedMs += STEP_MS) {
    if (waitedMs >= limitMs) assert.fail(`waited ${limitMs} ms in vain until ${what}`);
    await waiting.pass(STEP_MS);
  }
}

/** Lets enough time pass for what should not happen to happen. */
export function quiet(waiting: Waiting): Promise<void> {
  return waiting.pass(QUIET_MS);
}

/** Settles with the code of the error that a promise rejects with, or undefined. */
export async function codeOf(promise: unknown): Promise<unknown> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    return (error as { code?: unknown }).code ?? error;
  }
}
