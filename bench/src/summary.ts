import type { Case, CaseResult } from "./case.ts";
import type { Metrics } from "./measure.ts";

/** One case over all rounds. */
export interface CaseSummary {
  readonly name: string;
  readonly group: string;
  readonly title: string;
  readonly median: Metrics;
  readonly spread: Readonly<Record<string, readonly [lowest: number, highest: number]>>;
  /** Against the baseline of its group, round by round, for the metric shown first. */
  readonly againstBaseline?: { readonly baseline: string; readonly metric: string; readonly ratio: number; readonly difference: number };
  readonly rounds: readonly Metrics[];
  readonly notes: readonly string[];
  readonly detail?: unknown;
}

/** Median and spread of every metric, and the ratio to the baseline within each round. */
export function summarize(each: Case, results: readonly CaseResult[], baseline: readonly CaseResult[] | undefined): CaseSummary {
  const rounds = results.map(({ metrics }) => metrics);
  const names = Object.keys(rounds[0] ?? {});
  const valuesOf = (name: string): number[] => rounds.map((metrics) => metrics[name] ?? NaN);
  const detail = results.at(-1)?.detail;
  return {
    name: each.name,
    group: each.group,
    title: each.title,
    median: Object.fromEntries(names.map((name) => [name, median(valuesOf(name))])),
    spread: Object.fromEntries(names.map((name) => [name, [Math.min(...valuesOf(name)), Math.max(...valuesOf(name))]])),
    ...comparison(each, rounds, baseline),
    rounds,
    notes: [...new Set(results.flatMap(({ notes = [] }) => notes))],
    ...(detail !== undefined && { detail }),
  };
}

/** The middle value; of an even number the mean of the two in the middle. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function comparison(
  each: Case,
  rounds: readonly Metrics[],
  baseline: readonly CaseResult[] | undefined,
): Pick<CaseSummary, "againstBaseline"> {
  const metric = each.shown[0]!;
  if (each.baseline === undefined || each.baseline === each.name || baseline?.length !== rounds.length) return {};
  const pairs = rounds.map((metrics, round) => [metrics[metric] ?? NaN, baseline[round]!.metrics[metric] ?? NaN] as const);
  const ratio = median(pairs.map(([mine, theirs]) => mine / theirs));
  const difference = median(pairs.map(([mine, theirs]) => mine - theirs));
  return { againstBaseline: { baseline: each.baseline, metric, ratio, difference } };
}
