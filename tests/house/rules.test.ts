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

const check = (rule: Rule, because: string, files: Case["files"], expected?: string): Case =>
  expected === undefined ? { rule, because, files } : { rule, because, files, expected };

const CASES: readonly Case[] = [
  check(floors, "an import may go down", { "bus/a.ts": 'import "../base/b.ts";' }),
  check(floors, "an import may stay in its folder", { "bus/a.ts": 'import "./b.ts";' }),
  check(floors, "a test may look up", { "base/a.test.ts": 'import "../bus/b.ts";' }),
  check(floors, "an import may not go up", { "base/a.ts": 'import "../bus/b.ts";' }, "upward: base (floor 0) → bus (floor 7)"),
  check(floors, "a type import counts", { "base/a.ts": 'import type { B } from "../bus/b.ts";' }, "upward"),
  check(floors, "a re-export counts", { "base/a.ts": 'export { b } from "../bus/b.ts";' }, "upward"),
  check(floors, "a dynamic import counts", { "base/a.ts": 'await import("../bus/b.ts");' }, "upward"),
  check(floors, "an import type counts", { "base/a.ts": 'type B = import("../bus/b.ts").B;' }, "upward"),
  check(floors, "a worker's URL counts", { "base/a.ts": 'new Worker(new URL("../bus/b.ts", import.meta.url));' }, "upward"),
  check(floors, "siblings are strangers", { "inbox/a.ts": 'import "../outbox/b.ts";' }, "stranger on its own floor 5"),
  check(floors, "adapters do not know each other", { "adapters/memory/a.ts": 'import "../sqlite/b.ts";' }, "an adapter imports another"),
  check(floors, "an entry is for outsiders", { "index.ts": "", "testing/a.ts": 'import "../index.ts";' }, "imports the entry"),
  check(floors, "an entry may look at every floor", { "index.ts": 'export { b } from "./testing/b.ts";' }),
  check(floors, "a new folder needs a floor", { "helpers/a.ts": 'import "../base/b.ts";' }, "helpers/ has no floor"),
  check(floors, "the library ends at its folder", { "base/a.ts": 'import "../../../../bench/b.ts";' }, "outside the library"),
  check(floors, "code does not need its tests", { "base/a.ts": 'import "./b.test.ts";' }, "imports the test"),

  check(circles, "a tree is no circle", { "base/a.ts": 'import "./b.ts"; import "./c.ts";', "base/b.ts": 'import "./c.ts";' }),
  check(circles, "two may not import each other", { "base/a.ts": 'import "./b.ts";', "base/b.ts": 'import "./a.ts";' }, "a.ts ↔ "),
  check(
    circles,
    "types close a circle, over any distance",
    {
      "base/a.ts": 'import type { B } from "./b.ts";',
      "base/b.ts": 'import "./c.ts";',
      "base/c.ts": 'export type { A } from "./a.ts";',
    },
    "import circle",
  ),

  check(outsiders, "a public subpath may be used", { "/examples/shop/src/a.ts": 'import "postrider/sqlite"; import "./b.ts";' }),
  check(outsiders, "a subpath must be public", { "/bench/a.ts": 'import "postrider/dist/bus.js";' }, "is not public"),
  check(
    outsiders,
    "no path leads into the library",
    { "/bench/a.ts": 'import "../packages/postrider/src/index.ts";' },
    "reaches out of bench",
  ),

  check(dependencies, "a listed dependency may be used", { "scheduling/a.ts": 'import { Cron } from "croner"; import "node:fs";' }),
  check(dependencies, "an adapter may name its client", { "adapters/postgres/a.ts": 'import("pg");' }),
  check(dependencies, "nobody else may", { "bus/a.ts": 'import type { Pool } from "pg";' }, "pg is not a dependency"),
  check(dependencies, "a test may use more", { "bus/a.test.ts": 'import { z } from "zod";' }),

  check(worldViolations, "base/ holds the real ones", { "base/clock.ts": "Date.now();" }),
  check(worldViolations, "a test may use them", { "bus/a.test.ts": "Date.now();" }),
  check(worldViolations, "a date of a number is arithmetic", { "bus/a.ts": "new Date(5); queueMicrotask(go);" }),
  check(worldViolations, "a method of that name is another", { "bus/a.ts": "clock.setTimeout(1); const x = { setTimeout: 1 };" }),
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

  check(portViolations, "a port holds types", {
    "ports/a.ts": 'import type { B } from "./b.ts"; export interface A { b: B } type C = A; export type D = C;',
  }),
  check(portViolations, "a port has no values", { "ports/a.ts": "export const a = 1;" }, "only types"),
  check(portViolations, "a port passes nothing on", { "ports/a.ts": 'export type { B } from "./b.ts";' }, "re-exports nothing"),
  check(portViolations, "a port imports types", { "ports/a.ts": 'import { b } from "./b.ts";' }, "imports types only"),

  check(formViolations, "a reason lets `any` pass", {
    "base/a.ts": "// any: the list holds all kinds\ntype A = any;\ntype B = any; // any: as above",
  }),
  check(formViolations, "`any` needs a reason", { "base/a.ts": "type A = any;" }, "`any` without a reason"),
  check(formViolations, "names are listed", { "index.ts": 'export * from "./b.ts";' }, "`export *`"),
  check(formViolations, "exports have names", { "base/a.ts": "export default 1;" }, "default export"),
  check(formViolations, "a union is enough", { "base/a.ts": "enum A { B }" }, "enum"),
  check(formViolations, "a module is enough", { "base/a.ts": "namespace A { let b = 1; }" }, "namespace"),
  check(formViolations, "fields are declared", { "base/a.ts": "class A { constructor(private b: string) {} }" }, "parameter property"),

  check(testMarkViolations, "tests are just tests", { "base/a.test.ts": 'test("a", () => {}); it.each([])("b", () => {});' }),
  check(testMarkViolations, "a skip may have its reason", { "base/a.test.ts": '// needs a broker\ntest.skipIf(noBroker)("a", () => {});' }),
  check(testMarkViolations, "no test is alone", { "base/a.test.ts": 'test.only("a", () => {});' }, ".only"),
  check(testMarkViolations, "nor alone behind another mark", { "base/a.test.ts": 'describe.concurrent.only("a", () => {});' }, ".only"),
  check(testMarkViolations, "a skip needs a reason", { "base/a.test.ts": 'it.skip("a", () => {});' }, ".skip without a reason"),

  check(sizeViolations, "forty lines are enough", { "base/a.ts": "function a() {\n  step();\n}" }),
  check(sizeViolations, "more are too many", { "base/a.ts": `function a() {\n${LONG_BODY}}` }, "a function of 42 lines"),
  check(sizeViolations, "methods are functions", { "base/a.ts": `class A {\n a() {\n${LONG_BODY}}}` }, "a function of 42 lines"),
  check(sizeViolations, "a reason lets a function pass", { "base/a.ts": `// long: one table\nexport function a() {\n${LONG_BODY}}` }),
  check(sizeViolations, "a reason lets a method pass", { "base/a.ts": `class A {\n// long: one table\n a() {\n${LONG_BODY}}}` }),
  check(sizeViolations, "files end, too", { "base/a.ts": LONG_FILE }, "301 lines"),
  check(sizeViolations, "a reason lets a file pass", { "base/a.ts": `// long: a table of errors\n${LONG_FILE}` }),

  check(docstringViolations, "a docstring is enough", {
    "base/a.ts": "/** Counts. */\nexport const a = 1;\n/** Adds. */\nexport function b() {}",
  }),
  check(docstringViolations, "it may stand at the declaration", { "base/a.ts": "/** Counts. */\nconst a = 1;\nexport { a };" }),
  check(docstringViolations, "a name passed on has its own", { "index.ts": 'export { a } from "./base/a.ts";' }),
  check(docstringViolations, "an exported name needs one", { "base/a.ts": "export const a = 1;" }, "a has no docstring"),
  check(docstringViolations, "a line comment is none", { "base/a.ts": "// Counts.\nexport type A = 1;" }, "A has no docstring"),
  check(
    docstringViolations,
    "another's does not count",
    { "base/a.ts": "/** Counts. */\nconst a = 1;\nexport interface B {}" },
    "B has no docstring",
  ),
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
