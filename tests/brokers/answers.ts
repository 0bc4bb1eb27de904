import { setTimeout as sleep } from "node:timers/promises";
import type { Prepared, Run } from "./recipe.ts";

// A start takes seconds; this is for machines that have much else to do.
const START_LIMIT_MS = 120_000;
const POLL_MS = 50;

/** Resolves when the server answers the query; rejects with the end of its output if it ends before, or does not within 2 minutes. */
export async function answers(query: Prepared["query"], server: Run): Promise<void> {
  const endsAt = performance.now() + START_LIMIT_MS;
  for (;;) {
    const failure = await query().then(
      () => undefined,
      (error: unknown) => error,
    );
    if (failure === undefined) return;
    if (server.isOver) throw new Error(`the server ended while it started:\n${await server.output()}`, { cause: failure });
    if (performance.now() > endsAt) throw new Error(`the server does not answer:\n${await server.output()}`, { cause: failure });
    await sleep(POLL_MS);
  }
}
