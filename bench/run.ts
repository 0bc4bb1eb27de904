// Runs the cases and writes what they found: see README.md.
import { rmSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Case } from "./src/case.ts";
import { CASES } from "./src/catalogue.ts";
import { commitOf, lookAtMachine, warningsAbout } from "./src/machine.ts";
import { chosen, readOptions, type RunOptions } from "./src/options.ts";
import { runGroup } from "./src/rounds.ts";
import { ServerPool } from "./src/servers/pool.ts";
import { summarize, type CaseSummary } from "./src/summary.ts";
import { groupTable } from "./src/table.ts";

interface LeftOut {
  readonly name: string;
  readonly reason: string;
}

const RESULTS_FORMAT = 1;
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1)); // ends what was started: see its "exit" listeners
await main(readOptions(process.argv.slice(2)));

async function main(options: RunOptions): Promise<void> {
  const cases = chosen(CASES, options);
  if (options.isList)
    return console.log(CASES.map(({ name, group, title }) => `${name.padEnd(26)} ${group.padEnd(16)} ${title}`).join("\n"));
  await mkdir(options.folder, { recursive: true });
  const folder = await mkdtemp(join(options.folder, "run-"));
  await chmod(folder, 0o755); // PostgreSQL runs as a user of its own and must pass through
  process.once("exit", () => rmSync(folder, { recursive: true, force: true })); // also when a signal ends the run
  try {
    await using servers = new ServerPool(folder);
    await measure(cases, options, { folder, servers });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(
  cases: readonly Case[],
  options: RunOptions,
  place: { readonly folder: string; readonly servers: ServerPool },
): Promise<void> {
  const [machine, commit, at] = [lookAtMachine(place.folder), await commitOf(import.meta.dirname), new Date().toISOString()];
  console.log(
    `${machine.cpu}, ${String(machine.cores)} cores, ${machine.os}, Node ${machine.node}, ${String(machine.diskSyncsPerSecond)} syncs/s, commit ${commit}`,
  );
  const warnings = warningsAbout(machine, place.folder);
  for (const warning of warnings) console.log(`! ${warning}`);
  const [summaries, skipped, failed] = [[] as CaseSummary[], [] as LeftOut[], [] as LeftOut[]];
  for (const [group, all] of Map.groupBy(cases, (each) => each.group)) {
    const present = await available(all, place.servers, skipped);
    const { results, failures } = await runGroup(present, options, place);
    failed.push(...failures);
    const done = present.filter(({ name }) => results.has(name) && !failures.some((failure) => failure.name === name));
    summaries.push(...done.map((each) => summarize(each, results.get(each.name)!, results.get(each.baseline ?? ""))));
    if (done.length > 0) console.log(groupTable(group, done, summaries));
  }
  for (const { name, reason } of skipped) console.log(`\nskipped ${name}: ${reason}`);
  for (const { name, reason } of failed) console.log(`\nFAILED ${name}: ${reason}`);
  const { rounds, isQuick, seconds = null } = options;
  const servers = place.servers.versions;
  await write(options, {
    format: RESULTS_FORMAT,
    at,
    commit,
    machine,
    warnings,
    servers,
    options: { rounds, isQuick, seconds },
    cases: summaries,
    skipped,
    failed,
  });
  if (failed.length > 0) process.exitCode = 1;
}

/** Starts what the cases need, and tells of those whose server cannot be had. */
async function available(cases: readonly Case[], servers: ServerPool, skipped: LeftOut[]): Promise<readonly Case[]> {
  const present: Case[] = [];
  for (const each of cases) {
    const needed = each.server === undefined ? [] : [each.server].flat();
    const missing = each.missing?.();
    const reasons = missing === undefined ? await Promise.all(needed.map((server) => servers.ensure(server))) : [missing];
    const reason = reasons.find((one) => one !== undefined);
    if (reason === undefined) present.push(each);
    else skipped.push({ name: each.name, reason });
  }
  return present;
}

async function write(
  options: RunOptions,
  results: { readonly at: string; readonly commit: string; readonly [more: string]: unknown },
): Promise<void> {
  const name = `${results.at.slice(0, 16).replace(":", "")}-${results.commit.replace("+", "-changed")}.local.json`;
  const file = options.out ?? join(import.meta.dirname, "results", name);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(results, rounded, 1)}\n`);
  console.log(`\nresults: ${file}`);
}

/** Six digits say more than any measurement does. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}
