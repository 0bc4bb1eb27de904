import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { circleViolations } from "./house/circles.ts";
import { docstringViolations } from "./house/docstrings.ts";
import { floorViolations } from "./house/floors.ts";
import { importsOf } from "./house/imports.ts";
import { dependencyViolations, outsiderViolations } from "./house/public-names.ts";
import { formViolations, portViolations, testMarkViolations } from "./house/shape.ts";
import { sizeViolations } from "./house/sizes.ts";
import { parseTree, readTree, type Violation } from "./house/source.ts";
import { worldViolations } from "./house/world.ts";

const ROOT = join(import.meta.dirname, "..");
const OUTSIDERS = ["packages/cli", "packages/console", "packages/nestjs", "examples/shop", "bench"];

const sources = parseTree(readTree(ROOT, ["packages", "examples", "bench", "tests", "scripts"]));
const imports = sources.flatMap(importsOf);
const library = JSON.parse(readFileSync(join(ROOT, "packages/postrider/package.json"), "utf8")) as {
  readonly exports: Record<string, unknown>;
  readonly dependencies?: Record<string, string>;
  readonly peerDependencies?: Record<string, string>;
};

test("imports go down the floors only, and siblings are strangers", () => {
  expect(lines(floorViolations(imports))).toEqual([]);
});

test("no files import each other in a circle, types included", () => {
  expect(lines(circleViolations(imports))).toEqual([]);
});

test("who lives beside the library uses its public subpaths only", () => {
  expect(lines(outsiderViolations(imports, OUTSIDERS, Object.keys(library.exports)))).toEqual([]);
});

test("the library imports only the dependencies that it lists", () => {
  const [dependencies, peers] = [Object.keys(library.dependencies ?? {}), Object.keys(library.peerDependencies ?? {})];
  expect(lines(dependencyViolations(imports, dependencies, peers))).toEqual([]);
});

test("clock, random, ids and timers are touched in base/ only", () => {
  expect(lines(worldViolations(sources))).toEqual([]);
});

test("a port's file holds types only", () => {
  expect(lines(portViolations(sources))).toEqual([]);
});

test("no form is used that the house does not use", () => {
  expect(lines(formViolations(sources))).toEqual([]);
});

test("no test is alone or left out without a reason", () => {
  expect(lines(testMarkViolations(sources))).toEqual([]);
});

test("functions stay within 40 lines and files within 300, or say why not", () => {
  expect(lines(sizeViolations(sources))).toEqual([]);
});

test("every exported name of the library has a docstring", () => {
  expect(lines(docstringViolations(sources))).toEqual([]);
});

function lines(violations: readonly Violation[]): readonly string[] {
  return violations.map(({ file, line, message }) => `${file}:${line} ${message}`);
}
