import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../support/project.ts";
import { edited, GuardedCopy } from "./guards/copy.ts";
import { GUARDS } from "./guards/guards.ts";

test.each(GUARDS)("the guard is where its removal looks for it: $name", ({ edits }) => {
  for (const edit of edits) {
    const text = readFileSync(join(ROOT, "packages/postrider/src", edit.file), "utf8");
    expect(edited(text, edit)).not.toBe(text);
  }
});

test("the list in the README is the list of guards", () => {
  const readme = readFileSync(join(import.meta.dirname, "README.md"), "utf8");
  expect(GUARDS.filter(({ name }) => !readme.includes(`| ${name} |`))).toEqual([]);
});

// All of them: `node --conditions=@postrider/source tests/crash/guards.ts`, in about a minute.
test("a copy of the library without its inbox row fails the crash test that needs it", async () => {
  using copy = new GuardedCopy(ROOT);
  const guard = GUARDS.find(({ name }) => name === "the inbox row is written with the effects")!;
  expect(await copy.without(guard)).toMatchObject({ colour: "red" });
});
