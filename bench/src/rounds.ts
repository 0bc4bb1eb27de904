import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Case, CaseResult } from "./case.ts";
import { childOf } from "./child.ts";
import type { RunOptions } from "./options.ts";
import type { ServerPool } from "./servers/pool.ts";

/** What became of a group: results by case, and what failed. */
export interface GroupOutcome {
  readonly results: ReadonlyMap<string, readonly CaseResult[]>;
  readonly failures: readonly { readonly name: string; readonly reason: string }[];
}

const DEFAULT_SECONDS = 5;

/**
 * Runs a group's cases round by round, every other round in the opposite order, each in a process and a folder of its own.
 *
 * So a machine that grows slower, warmer or busier meanwhile does so for all of them. A case that fails is left out of later rounds.
 */
export async function runGroup(
  cases: readonly Case[],
  options: RunOptions,
  place: { readonly folder: string; readonly servers: ServerPool },
): Promise<GroupOutcome> {
  const results = new Map<string, CaseResult[]>();
  const failures: { name: string; reason: string }[] = [];
  for (let round = 0; round < options.rounds; round++) {
    for (const each of round % 2 === 0 ? cases : cases.toReversed()) {
      if (failures.some(({ name }) => name === each.name)) continue;
      process.stderr.write(`${each.name}, round ${String(round + 1)} of ${String(options.rounds)}\n`);
      try {
        const result = await runOnce(each, options, place);
        results.set(each.name, [...(results.get(each.name) ?? []), result]);
      } catch (error) {
        failures.push({ name: each.name, reason: error instanceof Error ? error.message : String(error) });
      }
    }
  }
  return { results, failures };
}

async function runOnce(
  each: Case,
  options: RunOptions,
  { folder, servers }: { readonly folder: string; readonly servers: ServerPool },
): Promise<CaseResult> {
  const own = await mkdtemp(join(folder, "case-"));
  const seconds = options.seconds ?? each.seconds ?? DEFAULT_SECONDS;
  try {
    return await childOf(each.name, { folder: own, seconds, isQuick: options.isQuick, servers: servers.urls }, each.limitSeconds);
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}
