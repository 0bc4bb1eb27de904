import type { SchemaIssue } from "./standard-schema.ts";

const MAX_ISSUES = 5;
const MAX_ISSUE_LENGTH = 200;
const MAX_PATH_LENGTH = 120;
const MIN_MASKED_LENGTH = 2; // one character occurs in every sentence; it says nothing of a value
// Valibot says what it received, arktype what it was. Both stand at the end of the message.
const QUOTED_VALUE = /(?:\s*\(was\b|\s+but received\b|[,;:]?\s+(?:received|got|actual(?:ly)?|but was)\s+["'`{[0-9-])[\s\S]*$/i;
const UNSHOWABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/**
 * Says in one line what is wrong with a body: `path: message`, at most five, truncated.
 *
 * The refused values are taken out of the messages, whatever the validator puts there; only names of fields remain.
 */
export function describeIssues(issues: readonly SchemaIssue[], body: unknown): string {
  const shown = issues.slice(0, MAX_ISSUES).map((issue) => describe(issue, body));
  if (issues.length > MAX_ISSUES) shown.push(`and ${issues.length - MAX_ISSUES} more`);
  return shown.length === 0 ? "it is refused without a reason" : shown.join("; ");
}

function describe(issue: SchemaIssue, body: unknown): string {
  const steps = (issue.path ?? []).map((step) => (typeof step === "object" ? step.key : step));
  const path = clip(clean(steps.map(String).join(".")), MAX_PATH_LENGTH);
  const message = clip(clean(withoutValue(String(issue.message), valueAt(body, steps))), MAX_ISSUE_LENGTH);
  return path === "" ? message : `${path}: ${message}`;
}

function withoutValue(message: string, value: unknown): string {
  const plain = message.replace(QUOTED_VALUE, "");
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "bigint") return plain;
  const text = String(value);
  if (text.length < MIN_MASKED_LENGTH) return plain;
  return plain.split(JSON.stringify(text)).join("…").split(text).join("…");
}

function valueAt(body: unknown, steps: readonly PropertyKey[]): unknown {
  let value = body;
  for (const step of steps) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Readonly<Record<PropertyKey, unknown>>)[step];
  }
  return value;
}

function clean(text: string): string {
  return text.replace(UNSHOWABLE, " ").toWellFormed();
}

function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
