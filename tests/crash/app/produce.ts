import { systemClock } from "postrider";
import type { Random } from "postrider";
import type { Fate } from "./contracts.ts";
import type { JobSender, Way } from "./jobs.ts";

/** How much a producer sends. */
export interface ProduceOptions {
  readonly sender: JobSender;
  readonly random: Random;
  /** Sends under way at a time. */
  readonly window: number;
  /** The pause after each send, in milliseconds: what the file's consumers can keep up with. */
  readonly paceMs: number;
  readonly keys: number;
  readonly isOver: () => boolean;
}

/** By weight: how jobs are sent. */
const WAYS: readonly (readonly [Way, number])[] = [
  ["do", 50],
  ["step", 20],
  ["transact", 10],
  ["twice", 8],
  ["later", 6],
  ["ask", 6],
];

/** By weight: how their handling goes. */
const FATES: readonly (readonly [Fate, number])[] = [
  ["well", 62],
  ["charged", 12],
  ["slow", 12],
  ["twitch", 8],
  ["sick", 4],
  ["sicker", 1],
  ["hopeless", 1],
];

const LATEST_MS = 2000;

/** Sends jobs of all kinds, several at a time, until it is told to end. */
export async function produce(options: ProduceOptions): Promise<void> {
  await Promise.all(Array.from({ length: options.window }, () => sendOn(options)));
}

async function sendOn({ sender, random, paceMs, keys, isOver }: ProduceOptions): Promise<void> {
  while (!isOver()) {
    const way = pick(WAYS, random);
    const key = `k${Math.floor(random.next() * keys)}`;
    const fate = way === "ask" ? "well" : pick(FATES, random);
    const notBefore = way === "later" ? { notBefore: systemClock.now() + Math.floor(random.next() * LATEST_MS) } : {};
    await sender.send(way, { key, fate, ...notBefore }, random.next() < 0.05 ? { priority: "high" } : {});
    await systemClock.sleep(paceMs);
  }
}

function pick<Choice>(weighted: readonly (readonly [Choice, number])[], random: Random): Choice {
  let at = random.next() * weighted.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [choice, weight] of weighted) if ((at -= weight) < 0) return choice;
  return weighted[0]![0];
}
