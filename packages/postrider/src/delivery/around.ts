import { AsyncLocalStorage } from "node:async_hooks";
import { fail } from "../base/errors.ts";
import type { Runtime } from "./runtime.ts";

/** A run that has a unit of work: a handler's, or a transaction's of a sender. */
export interface UnitHolder {
  /** Whether its unit of work is open and has not ended. */
  readonly hasOpenUnit: boolean;
  /** For people: whose unit of work it is. */
  readonly holderName: string;
  readonly runtime: Runtime;
}

// It costs 1.5 us a message, and 19 us where a handler's run awaits its inbox row (2 cores, Node 26.10, November 2026: a quarter of the rate); before Node 24 every
// promise of the process would pay for it. So it is for where mistakes are made: elsewhere the log says within a second who waits for whom.
const FIRST_CHEAP_MAJOR = 24;
const isWatched = ["development", "test"].includes(process.env["NODE_ENV"] ?? "");
const around =
  isWatched && Number(process.versions.node.split(".")[0]) >= FIRST_CHEAP_MAJOR
    ? new AsyncLocalStorage<UnitHolder>({ name: "postrider" })
    : undefined;

/** Runs something, so that what it calls and awaits knows whose unit of work is around it. */
export function within<Result>(holder: UnitHolder, run: () => Result): Result {
  return around === undefined ? run() : around.run(holder, run);
}

/**
 * Refuses a call that would write beside the unit of work that it is made in: on SQLite it would wait for itself, and nowhere would it leave with the commit.
 * @throws PR_TRANSACTION_OPEN
 */
export function refuseInsideUnit(call: string, { lone }: Runtime): void {
  const holder = around?.getStore();
  // Another app's units have nothing to do with ours; what an app shares is its turns.
  if (holder === undefined || !holder.hasOpenUnit || holder.runtime.lone !== lone) return;
  const instead = ", or use what it was given instead: its own `send`, `publish`, `schedule`, `tx`";
  throw fail("PR_TRANSACTION_OPEN", { call, handler: holder.holderName, instead });
}
