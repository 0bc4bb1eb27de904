import type { TestProject } from "vitest/node";
import { startBench } from "./bench.ts";
import { BROKER_KINDS, type BrokerAddresses } from "./kinds.ts";
import { verdict } from "./verdict.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** What the bench has, or why it has it not: `inject("brokers").postgres`. */
    readonly brokers: BrokerAddresses;
  }
}

/** Before the broker tests: servers for all of them. Under `CI=true` a missing one fails the run; elsewhere its tests are skipped with the reason. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const startedMs = performance.now();
  const bench = await startBench();
  try {
    for (const line of verdict(bench.addresses, process.env)) console.warn(`postrider: ${line}`);
  } catch (error) {
    await bench.close();
    throw error;
  }
  const found = BROKER_KINDS.filter((kind) => bench.addresses[kind].url !== undefined);
  if (found.length > 0) console.log(`postrider: ${found.join(", ")} up in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  project.provide("brokers", bench.addresses);
  return () => bench.close();
}
