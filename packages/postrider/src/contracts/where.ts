import type { Where, WhereTest } from "./contract.ts";

/** Whether a body fits a {@link Where}. Pure; never throws. */
export type FitsWhere = (body: unknown) => boolean;

/**
 * Makes a {@link Where} into a function.
 *
 * A path is dotted (`total`, `customer.tier`, `items.0.sku`) and follows own properties only. A field that is absent fits
 * nothing but `exists: false`; values are compared as they are, without conversion: `"5"` is not `5`.
 */
export function compileWhere(where: Where): FitsWhere {
  const tests = Object.keys(where).map((path) => fieldTest(path, where[path]!));
  if (tests.length === 1) return tests[0]!;
  return (body) => tests.every((fits) => fits(body));
}

/** What is wrong with a {@link Where}, each mistake with its path; empty when nothing is. */
export function whereMistakes(where: Where): readonly string[] {
  if (!isRecord(where)) return ["where must be an object of field paths"];
  const paths = Object.keys(where);
  if (paths.length === 0) return ["where has no fields; leave it out to take everything"];
  return paths.flatMap((path) => [...pathMistakes(path), ...testMistakes(path, where[path])]);
}

type FieldTest = (value: unknown) => boolean;

const ABSENT = Symbol("absent");
const MAX_PATH_STEPS = 32; // deeper conditions are a sign of a wrong contract
const TEST_NAMES: ReadonlySet<string> = new Set(["in", "gte", "gt", "lte", "lt", "not", "exists"]);

function fieldTest(path: string, wanted: Where[string]): FitsWhere {
  const fits = isScalar(wanted) ? (value: unknown) => value === wanted : valueTest(wanted);
  const steps = path.split(".");
  if (steps.length > 1) return (body) => fits(valueAt(body, steps));
  return (body) => fits(ownValue(body, path));
}

function valueAt(body: unknown, steps: readonly string[]): unknown {
  let value = body;
  for (const step of steps) {
    value = ownValue(value, step);
    if (value === ABSENT) return ABSENT;
  }
  return value;
}

function ownValue(holder: unknown, name: string): unknown {
  if (typeof holder !== "object" || holder === null || !Object.hasOwn(holder, name)) return ABSENT;
  const value = (holder as Readonly<Record<string, unknown>>)[name];
  return value === undefined ? ABSENT : value;
}

function valueTest(test: WhereTest): FieldTest {
  if (test.exists === false) return (value) => value === ABSENT;
  const parts: FieldTest[] = [];
  if (test.in !== undefined) parts.push(isOneOf(test.in));
  if (test.not !== undefined) parts.push((value) => value !== test.not);
  parts.push(...boundTests(test));
  return (value) => value !== ABSENT && parts.every((fits) => fits(value));
}

function isOneOf(allowed: readonly unknown[]): FieldTest {
  const set = new Set(allowed);
  return (value) => set.has(value);
}

function boundTests({ gte, gt, lte, lt }: WhereTest): FieldTest[] {
  const tests: FieldTest[] = [];
  if (gte !== undefined) tests.push((value) => typeof value === "number" && value >= gte);
  if (gt !== undefined) tests.push((value) => typeof value === "number" && value > gt);
  if (lte !== undefined) tests.push((value) => typeof value === "number" && value <= lte);
  if (lt !== undefined) tests.push((value) => typeof value === "number" && value < lt);
  return tests;
}

function pathMistakes(path: string): string[] {
  const steps = path.split(".");
  if (steps.some((step) => step === "")) return [`the path "${path}" has an empty step`];
  return steps.length > MAX_PATH_STEPS ? [`the path of ${steps.length} steps is longer than ${MAX_PATH_STEPS}`] : [];
}

function testMistakes(path: string, wanted: unknown): string[] {
  if (isScalar(wanted)) return typeof wanted === "number" && !Number.isFinite(wanted) ? [`${path} must be a finite number`] : [];
  if (!isRecord(wanted)) return [`${path} must be a string, a number, a boolean, null or a test`];
  const names = Object.keys(wanted);
  if (names.length === 0) return [`${path} has an empty test`];
  const mistakes = names.flatMap((name) => partMistakes(path, name, wanted[name]));
  if (wanted["exists"] === false && names.length > 1) mistakes.push(`${path} cannot both be absent and pass another test`);
  return mistakes;
}

function partMistakes(path: string, name: string, part: unknown): string[] {
  if (!TEST_NAMES.has(name)) return [`${path} has an unknown test "${name}"`];
  if (name === "exists") return typeof part === "boolean" ? [] : [`${path}.exists must be true or false`];
  if (name === "not") return isScalar(part) ? [] : [`${path}.not must be a string, a number, a boolean or null`];
  if (name !== "in") return typeof part === "number" && Number.isFinite(part) ? [] : [`${path}.${name} must be a finite number`];
  return Array.isArray(part) && part.length > 0 && part.every(isScalar)
    ? []
    : [`${path}.in must be a list of strings, numbers, booleans or null`];
}

function isScalar(value: unknown): value is string | number | boolean | null {
  return value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
