import { expect, test } from "vitest";
import { faultLines } from "./fault.ts";
import { CrashRun } from "./run.ts";

const CASES = [
  { what: "a message of a log", script: "well", begins: 2 },
  { what: "a held message that runs for the third time", script: "sick", begins: 5 },
] as const;

test.each(CASES)(
  "a process that is stopped with $what half handled changes nothing when it goes on after somebody else has handled it",
  async ({ script, begins }) => {
    using run = new CrashRun("one");
    await run.runWell({ name: "sender", role: "post", script });
    const zombie = run.start(
      { name: "zombie", role: "consume", saysBegun: true, saysLogs: true },
      { POSTRIDER_STOP_AT: `before-begin:${begins}` },
    );
    let begun = 0;
    await zombie.heard(({ says }) => says === "begun" && ++begun === handlersUntil(begins));
    await run.recover();
    expect(run.history().effects).toHaveLength(2);
    zombie.signal("SIGCONT");
    zombie.signal("SIGTERM");
    await zombie.endWell(15_000);
    expect(run.history().effects).toHaveLength(2);
    const faults = run.faults();
    expect(faults, faultLines(faults)).toEqual([]);
  },
);

/** The first transaction makes the tables, and one of the others puts the message off: each of the rest begins a handler. */
function handlersUntil(begins: number): number {
  return begins === 2 ? 1 : begins - 2;
}
