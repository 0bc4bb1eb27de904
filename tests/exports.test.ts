import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSync } from "oxc-parser";
import { expect, test } from "vitest";
import { ROOT } from "./support/project.ts";

const ENTRIES = ["index", "kafka", "memory", "mysql", "postgres", "rabbitmq", "sqlite", "testing"];

// A name that appears here is a promise; one that vanishes breaks somebody. Update with `npm run test:unit -- -u tests/exports.test.ts` and say so in the change.
test.for(ENTRIES)("the public names of %s.ts are these", (entry, { skip }) => {
  const file = join(ROOT, "packages/postrider/src", `${entry}.ts`);
  if (!existsSync(file)) skip(`${entry}.ts does not exist yet`);
  expect(namesOf(file)).toMatchSnapshot();
});

function namesOf(file: string): readonly string[] {
  const { module } = parseSync(file, readFileSync(file, "utf8"));
  return module.staticExports
    .flatMap(({ entries }) => entries)
    .map(({ exportName, isType }) => `${isType ? "type " : ""}${exportName.name ?? exportName.kind}`)
    .toSorted();
}
