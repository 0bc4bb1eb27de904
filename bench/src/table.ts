import type { Case } from "./case.ts";
import type { CaseSummary } from "./summary.ts";

const UNITS: readonly (readonly [RegExp, string])[] = [
  [/PerSecond$/, "/s"],
  [/Micros$/, " µs"],
  [/Nanos$/, " ns"],
  [/Ms$/, " ms"],
  [/MiBPerMinute$/, " MiB/min"],
  [/MiB$/, " MiB"],
];

/** One group of cases as a table for a terminal. */
export function groupTable(group: string, cases: readonly Case[], summaries: readonly CaseSummary[]): string {
  const rows = cases.flatMap((each) => {
    const summary = summaries.find(({ name }) => name === each.name);
    return summary === undefined ? [] : [rowOf(each, summary), ...stageRows(summary)];
  });
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row.length > 1 ? (row[column] ?? "").length : 0))));
  return [`\n${group}`, ...rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd())].join(
    "\n",
  );
}

function rowOf(each: Case, summary: CaseSummary): readonly string[] {
  const [first = "", ...others] = each.shown;
  const [low, high] = summary.spread[first] ?? [NaN, NaN];
  const versus = summary.againstBaseline;
  return [
    each.name,
    each.title,
    `${formatted(first, summary.median[first])} (${plain(low)} … ${plain(high)})`,
    versus === undefined
      ? ""
      : `${versus.ratio.toFixed(2)} × ${versus.baseline}${first === "cpuMicros" ? `, ${signed(versus.difference)} µs` : ""}`,
    others.map((name) => `${name} ${formatted(name, summary.median[name])}`).join(", "),
    ...summary.notes.map((note) => `[${note}]`),
  ];
}

/** The stages of a profile, dearest first. */
function stageRows({ median }: CaseSummary): readonly (readonly string[])[] {
  const stages = Object.entries(median).filter(([name]) => name.startsWith("nanos in "));
  return stages
    .sort(([, a], [, b]) => b - a)
    .map(([name, nanos]) => [`    ${plain(nanos).padStart(7)} ns ${name.slice("nanos in ".length)}`]);
}

function formatted(name: string, value = NaN): string {
  return `${plain(value)}${UNITS.find(([pattern]) => pattern.test(name))?.[1] ?? ""}`;
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${plain(Math.abs(value))}`;
}

function plain(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits });
}
