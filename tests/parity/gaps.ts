import type { ConformanceTest, SuiteDeclaration, SuiteGroup } from "../../packages/postrider/src/testing/suite.ts";
import type { Column } from "./columns.ts";

/** Whether a feature's value says that it is not there. */
export function isMissing(value: unknown): boolean {
  return value === undefined || value === false || value === "none";
}

/** What is not there without a reason, and reasons for what is there. */
export function unexplained<Environment, Features extends object>(
  { title, declaration }: Column<Features>,
  names: readonly (keyof Features & string)[],
  groups: readonly SuiteGroup<ConformanceTest<Environment, Features>>[],
): readonly string[] {
  const tests = groups.flatMap((group) => group.tests);
  return [
    ...names.flatMap((name) => mistakesOf(name, declaration)),
    ...tests.flatMap((test) => unexplainedSkip(test, declaration)),
    ...(declaration.skips ?? []).filter(({ reason }) => reason.trim() === "").map(({ test }) => `skips "${test}" without a reason`),
  ].map((mistake) => `${title}: ${mistake}`);
}

function mistakesOf<Features>(name: keyof Features & string, { features, gaps }: SuiteDeclaration<Features>): readonly string[] {
  const reason = gaps?.[name]?.trim() ?? "";
  if (isMissing(features[name])) return reason === "" ? [`has no ${name}, and does not say why`] : [];
  return reason === "" ? [] : [`says why it has no ${name}, but has it`];
}

/** A test that a half-way feature leaves out, such as priority only among what was fetched. */
function unexplainedSkip<Environment, Features>(
  { name, notFor }: ConformanceTest<Environment, Features>,
  { features, gaps, skips }: SuiteDeclaration<Features>,
): readonly string[] {
  const missing = notFor?.(features);
  if (missing === undefined || skips?.some(({ test }) => test === name)) return [];
  return gaps?.[missing] === undefined ? [`leaves out "${name}" without a reason`] : [];
}
