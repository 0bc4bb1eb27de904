import { fail } from "../base/errors.ts";
import { strangeOptions } from "../base/strange-options.ts";
import type { Page } from "../ports/page.ts";
import type { LetterFilter, RedriveOptions } from "./types.ts";

const FILTER: Readonly<Record<keyof LetterFilter, true>> = {
  service: true,
  list: true,
  contract: true,
  messageId: true,
  fingerprint: true,
  key: true,
  ids: true,
  before: true,
};
const REDRIVE: Readonly<Record<keyof RedriveOptions, true>> = {
  filter: true,
  ratePerSecond: true,
  canary: true,
  stopAtFailureRatio: true,
  outcomeTimeoutMs: true,
  signal: true,
};
const PAGE: Readonly<Record<keyof Page, true>> = { limit: true, after: true };
const MAX_PAGE_ROWS = 10_000;

/**
 * Refuses a filter that would match more than its writer meant: a name that does not exist, a value that is not there.
 * Everything must be asked for as `{}`.
 * @throws PR_CALL_INVALID with every mistake
 */
export function checkFilter(call: string, filter: LetterFilter): void {
  refuse(call, filterMistakes(filter));
}

/** @throws PR_CALL_INVALID with every mistake */
export function checkPage(call: string, page: Page): void {
  const { limit } = page ?? {};
  const isCount = Number.isInteger(limit) && limit >= 1 && limit <= MAX_PAGE_ROWS;
  refuse(call, [
    ...strangeOptions("the page", page ?? null, PAGE),
    ...(isCount ? [] : [`limit must be a whole number from 1 to ${MAX_PAGE_ROWS}`]),
  ]);
}

/** @throws PR_CALL_INVALID with every mistake */
export function checkRedrive(options: RedriveOptions): void {
  const { filter, ratePerSecond, canary, stopAtFailureRatio, outcomeTimeoutMs } = options ?? {};
  refuse("redriveMany", [
    ...strangeOptions("its options", options ?? null, REDRIVE),
    ...filterMistakes(filter),
    ...outside("ratePerSecond", ratePerSecond, Number.MIN_VALUE, 1_000_000),
    ...outside("canary", canary, 0, Number.MAX_SAFE_INTEGER),
    ...outside("stopAtFailureRatio", stopAtFailureRatio, 0, 1),
    ...outside("outcomeTimeoutMs", outcomeTimeoutMs, 1, Number.MAX_SAFE_INTEGER),
  ]);
}

function filterMistakes(filter: LetterFilter | undefined): string[] {
  if (filter === undefined) return ["the filter is missing; {} means all"];
  const strange = strangeOptions("the filter", filter, FILTER);
  if (typeof filter !== "object" || filter === null) return strange;
  const missing = Object.entries(filter).filter(([, value]) => value === undefined);
  return [...strange, ...missing.map(([name]) => `the filter's ${name} is undefined; leave it out to mean any`)];
}

function outside(name: string, value: number | undefined, from: number, to: number): string[] {
  return value === undefined || (value >= from && value <= to) ? [] : [`${name} must be a number from ${from} to ${to}`];
}

function refuse(call: string, mistakes: readonly string[]): void {
  if (mistakes.length > 0) throw fail("PR_CALL_INVALID", { call, mistakes: mistakes.join("; ") });
}
