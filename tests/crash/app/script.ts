import { systemClock } from "postrider";
import type { Fate } from "./contracts.ts";
import type { JobSender, Way } from "./jobs.ts";

/** What a scripted worker sends. */
export type ScriptName = "everything" | "schedule" | "charge" | "redrive" | "step" | "well" | "sick" | "refusals" | "poison" | "load";

/** Sends a script's jobs, each group at once. */
export async function play(script: ScriptName, sender: JobSender): Promise<void> {
  for (const group of SCRIPTS[script]) await Promise.all(group.map((step) => step(sender)));
}

type Step = (sender: JobSender) => Promise<void>;

const step =
  (way: Way, key: string, fate: Fate, headers?: Readonly<Record<string, string>>): Step =>
  (sender) =>
    sender.send(way, { key, fate }, headers === undefined ? {} : { headers });

const later =
  (delayMs: number): Step =>
  (sender) =>
    sender.send("later", { key: "later", fate: "well", notBefore: systemClock.now() + delayMs });

const SCRIPTS: Readonly<Record<ScriptName, readonly (readonly Step[])[]>> = {
  // One of everything that a service can meet; what is slow or sick has others of its key behind it.
  everything: [
    [
      step("do", "a", "slow"),
      step("do", "a", "well"),
      step("do", "a", "twitch"),
      step("do", "a", "well"),
      step("do", "b", "charged"),
      step("do", "b", "sick"),
      step("do", "b", "well"),
      step("do", "b", "sicker"),
      step("step", "c", "sick"),
      step("step", "c", "well"),
      step("step", "c", "well"),
      step("step", "d", "hopeless"),
      step("step", "d", "well"),
      step("twice", "e", "well"),
      step("twice", "a", "slow"),
      step("ask", "e", "well"),
      later(20),
      later(40),
    ],
    [
      step("do", "f", "hopeless"),
      step("do", "f", "well"),
      step("transact", "g", "well"),
      step("transact", "g", "charged"),
      step("ask", "c", "well"),
      step("step", "c", "well"),
      step("do", "b", "slow"),
      step("do", "b", "well"),
    ],
  ],
  schedule: [[later(5), later(10), later(15)]],
  charge: [[step("do", "a", "charged"), step("do", "b", "charged")]],
  redrive: [[step("do", "a", "hopeless")]],
  step: [[step("step", "a", "sick"), step("step", "a", "well")]],
  well: [[step("do", "a", "well")]],
  sick: [[step("do", "a", "sick")]],
  // Only where messages leave by way of a relay: a broker that refuses some of them, once or for good.
  refusals: [
    [
      step("do", "a", "well", { "x-refuse": "now" }),
      step("do", "a", "well"),
      step("do", "b", "well", { "x-refuse": "forGood" }),
      step("do", "b", "well"),
      step("do", "c", "well"),
    ],
  ],
  // One of a thousand ends its process.
  poison: [Array.from({ length: 1000 }, (_, n) => step("do", `k${n % 50}`, n === 500 ? "abort" : "well"))],
  // Enough for a while, with handlers that are always under way.
  load: [Array.from({ length: 800 }, (_, n) => step("do", `k${n % 40}`, n % 3 === 0 ? "slow" : n % 11 === 0 ? "charged" : "well"))],
};
