// long: one table, a row for each way to break a rule
import { expect, test } from "vitest";
import { circleViolations } from "./circles.ts";
import { docstringViolations } from "./docstrings.ts";
import { floorViolations } from "./floors.ts";
import { importsOf } from "./imports.ts";
import { dependencyViolations, outsiderViolations } from "./public-names.ts";
import { formViolations, portViolations, testMarkViolations } from "./shape.ts";
import { sizeViolations } from "./sizes.ts";
import { parseTree, type Source, type Violation } from "./source.ts";
import { worldViolations } from "./world.ts";

type Rule = (sources: readonly Source[]) => readonly Violation[];

interface Case {
  readonly rule: Rule;
  readonly because: string;
  /** Files by their path below `packages/postrider/src/`, or from the root when the path begins with `/`. */
  readonly files: Readonly<Record<string, string>>;
  /** Part of the message of the one violation; none when the tree is in order. */
  readonly expected?: string;
}

const floors: Rule = (sources) => floorViolations(sources.flatMap(importsOf));
const circles: Rule = (sources) => circleViolations(sources.flatMap(importsOf));
const outsiders: Rule = (sources) => outsiderViolations(sources.flatMap(importsOf), ["examples/shop", "bench"], [".", "./sqlite"]);
const dependencies: Rule = (sources) => dependencyViolations(sources.flatMap(importsOf), ["croner"], ["pg"]);

const LONG_BODY = "  step();\n".repeat(40);
const LONG_FILE = "// line\n".repeat(301);

const CASES: readonly Case[] = [
  { rule: floors, because: "an import may go down", files: { "bus/a.ts": 'import "../base/b.ts";' } },
  { rule: floors, because: "an import may stay in its folder", files: { "bus/a.ts": 'import "./b.ts";' } },
  { rule: floors, because: "a test may look up", files: { "base/a.test.ts": 'import "../bus/b.ts";' } },
  {
    rule: floors,
    because: "an import may not go up",
    files: { "base/a.ts": 'import "../bus/b.ts";' },
    expected: "upward: base (floor 0) → bus (floor 7)",
  },
  { rule: floors, because: "a type import counts", files: { "base/a.ts": 'import type { B } from "../bus/b.ts";' }, expected: "upward" },
  { rule: floors, because: "a re-export counts", files: { "base/a.ts": 'export { b } from "../bus/b.ts";' }, expected: "upward" },
  { rule: floors, because: "a dynamic import counts", files: { "base/a.ts": 'await import("../bus/b.ts");' }, expected: "upward" },
  { rule: floors, because: "an import type counts", files: { "base/a.ts": 'type B = import("../bus/b.ts").B;' }, expected: "upward" },
  {
    rule: floors,
    because: "a worker's URL counts",
    files: { "base/a.ts": 'new Worker(new URL("../bus/b.ts", import.meta.url));' },
    expected: "upward",
  },
  {
    rule: floors,
    because: "siblings are strangers",
    files: { "inbox/a.ts": 'import "../outbox/b.ts";' },
    expected: "stranger on its own floor 5",
  },
  {
    rule: floors,
    because: "adapters do not know each other",
    files: { "adapters/memory/a.ts": 'import "../sqlite/b.ts";' },
    expected: "an adapter imports another",
  },
  {
    rule: floors,
    because: "an entry is for outsiders",
    files: { "index.ts": "", "testing/a.ts": 'import "../index.ts";' },
    expected: "imports the entry",
  },
  { rule: floors, because: "an entry may look at every floor", files: { "index.ts": 'export { b } from "./testing/b.ts";' } },
  {
    rule: floors,
    because: "a new folder needs a floor",
    files: { "helpers/a.ts": 'import "../base/b.ts";' },
    expected: "helpers/ has no floor",
  },
  {
    rule: floors,
    because: "the library ends at its folder",
    files: { "base/a.ts": 'import "../../../../bench/b.ts";' },
    expected: "outside the library",
  },
  { rule: floors, because: "code does not need its tests", files: { "base/a.ts": 'import "./b.test.ts";' }, expected: "imports the test" },

  {
    rule: circles,
    because: "a tree is no circle",
    files: { "base/a.ts": 'import "./b.ts"; import "./c.ts";', "base/b.ts": 'import "./c.ts";' },
  },
  {
    rule: circles,
    because: "two may not import each other",
    files: { "base/a.ts": 'import "./b.ts";', "base/b.ts": 'import "./a.ts";' },
    expected: "a.ts ↔ ",
  },
  {
    rule: circles,
    because: "types close a circle, over any distance",
    files: {
      "base/a.ts": 'import type { B } from "./b.ts";',
      "base/b.ts": 'import "./c.ts";',
      "base/c.ts": 'export type { A } from "./a.ts";',
    },
    expected: "import circle",
  },

  {
    rule: outsiders,
    because: "a public subpath may be used",
    files: { "/examples/shop/src/a.ts": 'import "postrider/sqlite"; import "./b.ts";' },
  },
  {
    rule: outsiders,
    because: "a subpath must be public",
    files: { "/bench/a.ts": 'import "postrider/dist/bus.js";' },
    expected: "is not public",
  },
  {
    rule: outsiders,
    because: "no path leads into the library",
    files: { "/bench/a.ts": 'import "../packages/postrider/src/index.ts";' },
    expected: "reaches out of bench",
  },

  {
    rule: dependencies,
    because: "a listed dependency may be used",
    files: { "scheduling/a.ts": 'import { Cron } from "croner"; import "node:fs";' },
  },
  { rule: dependencies, because: "an adapter may name its client", files: { "adapters/postgres/a.ts": 'import("pg");' } },
  {
    rule: dependencies,
    because: "nobody else may",
    files: { "bus/a.ts": 'import type { Pool } from "pg";' },
    expected: "pg is not a dependency",
  },
  { rule: dependencies, because: "a test may use more", files: { "bus/a.test.ts": 'import { z } from "zod";' } },

  { rule: worldViolations, because: "base/ holds the real ones", files: { "base/clock.ts": "Date.now();" } },
  { rule: worldViolations, because: "a test may use them", files: { "bus/a.test.ts": "Date.now();" } },
  { rule: worldViolations, because: "a date of a number is arithmetic", files: { "bus/a.ts": "new Date(5); queueMicrotask(go);" } },
  {
    rule: worldViolations,
    because: "a method of that name is another",
    files: { "bus/a.ts": "clock.setTimeout(1); const x = { setTimeout: 1 };" },
  },
  ...[
    "Date.now()",
    "new Date()",
    "Date()",
    "setTimeout(go, 1)",
    "setInterval(go, 1)",
    "setImmediate(go)",
    "Math.random()",
    "randomUUID()",
  ].map(rawUse),
  ...[
    "performance.now()",
    "globalThis.setTimeout(go)",
    "crypto.randomUUID()",
    "AbortSignal.timeout(5)",
    'import "node:timers/promises"',
  ].map(rawUse),

  {
    rule: portViolations,
    because: "a port holds types",
    files: { "ports/a.ts": 'import type { B } from "./b.ts"; export interface A { b: B } type C = A; export type D = C;' },
  },
  { rule: portViolations, because: "a port has no values", files: { "ports/a.ts": "export const a = 1;" }, expected: "only types" },
  {
    rule: portViolations,
    because: "a port passes nothing on",
    files: { "ports/a.ts": 'export type { B } from "./b.ts";' },
    expected: "re-exports nothing",
  },
  {
    rule: portViolations,
    because: "a port imports types",
    files: { "ports/a.ts": 'import { b } from "./b.ts";' },
    expected: "imports types only",
  },

  {
    rule: formViolations,
    because: "a reason lets `any` pass",
    files: { "base/a.ts": "// any: the list holds all kinds\ntype A = any;\ntype B = any; // any: as above" },
  },
  { rule: formViolations, because: "`any` needs a reason", files: { "base/a.ts": "type A = any;" }, expected: "`any` without a reason" },
  { rule: formViolations, because: "names are listed", files: { "index.ts": 'export * from "./b.ts";' }, expected: "`export *`" },
  { rule: formViolations, because: "exports have names", files: { "base/a.ts": "export default 1;" }, expected: "default export" },
  { rule: formViolations, because: "a union is enough", files: { "base/a.ts": "enum A { B }" }, expected: "enum" },
  { rule: formViolations, because: "a module is enough", files: { "base/a.ts": "namespace A { let b = 1; }" }, expected: "namespace" },
  {
    rule: formViolations,
    because: "fields are declared",
    files: { "base/a.ts": "class A { constructor(private b: string) {} }" },
    expected: "parameter property",
  },

  {
    rule: testMarkViolations,
    because: "tests are just tests",
    files: { "base/a.test.ts": 'test("a", () => {}); it.each([])("b", () => {});' },
  },
  {
    rule: testMarkViolations,
    because: "a skip may have its reason",
    files: { "base/a.test.ts": '// needs a broker\ntest.skipIf(noBroker)("a", () => {});' },
  },
  { rule: testMarkViolations, because: "no test is alone", files: { "base/a.test.ts": 'test.only("a", () => {});' }, expected: ".only" },
  {
    rule: testMarkViolations,
    because: "nor alone behind another mark",
    files: { "base/a.test.ts": 'describe.concurrent.only("a", () => {});' },
    expected: ".only",
  },
  {
    rule: testMarkViolations,
    because: "a skip needs a reason",
    files: { "base/a.test.ts": 'it.skip("a", () => {});' },
    expected: ".skip without a reason",
  },

  { rule: sizeViolations, because: "forty lines are enough", files: { "base/a.ts": "function a() {\n  step();\n}" } },
  {
    rule: sizeViolations,
    because: "more are too many",
    files: { "base/a.ts": `function a() {\n${LONG_BODY}}` },
    expected: "a function of 42 lines",
  },
  {
    rule: sizeViolations,
    because: "methods are functions",
    files: { "base/a.ts": `class A {\n a() {\n${LONG_BODY}}}` },
    expected: "a function of 42 lines",
  },
  {
    rule: sizeViolations,
    because: "a reason lets a function pass",
    files: { "base/a.ts": `// long: one table\nexport function a() {\n${LONG_BODY}}` },
  },
  {
    rule: sizeViolations,
    because: "a reason lets a method pass",
    files: { "base/a.ts": `class A {\n// long: one table\n a() {\n${LONG_BODY}}}` },
  },
  { rule: sizeViolations, because: "files end, too", files: { "base/a.ts": LONG_FILE }, expected: "301 lines" },
  { rule: sizeViolations, because: "a reason lets a file pass", files: { "base/a.ts": `// long: a table of errors\n${LONG_FILE}` } },

  {
    rule: docstringViolations,
    because: "a docstring is enough",
    files: { "base/a.ts": "/** Counts. */\nexport const a = 1;\n/** Adds. */\nexport function b() {}" },
  },
  {
    rule: docstringViolations,
    because: "it may stand at the declaration",
    files: { "base/a.ts": "/** Counts. */\nconst a = 1;\nexport { a };" },
  },
  { rule: docstringViolations, because: "a name passed on has its own", files: { "index.ts": 'export { a } from "./base/a.ts";' } },
  {
    rule: docstringViolations,
    because: "an exported name needs one",
    files: { "base/a.ts": "export const a = 1;" },
    expected: "a has no docstring",
  },
  {
    rule: docstringViolations,
    because: "a line comment is none",
    files: { "base/a.ts": "// Counts.\nexport type A = 1;" },
    expected: "A has no docstring",
  },
  {
    rule: docstringViolations,
    because: "another's does not count",
    files: { "base/a.ts": "/** Counts. */\nconst a = 1;\nexport interface B {}" },
    expected: "B has no docstring",
  },
];

test.each(CASES)("$because", ({ rule, files, expected }) => {
  const tree = new Map(
    Object.entries(files).map(([path, text]) => [path.startsWith("/") ? path.slice(1) : `packages/postrider/src/${path}`, text]),
  );
  const messages = rule(parseTree(tree)).map(({ message }) => message);
  const fitting = messages.filter((message) => expected !== undefined && message.includes(expected));
  expect(messages).toEqual(fitting);
  expect(fitting).toHaveLength(expected === undefined ? 0 : 1);
});

function rawUse(code: string): Case {
  return { rule: worldViolations, because: `${code} belongs to base/`, files: { "bus/a.ts": `${code};` }, expected: "outside base/" };
}
