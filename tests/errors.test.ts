import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ERRORS } from "../packages/postrider/src/base/errors.ts";
import { readTree } from "./house/source.ts";
import { ROOT } from "./support/project.ts";

const TABLE = "packages/postrider/src/base/errors.ts";
const REFERENCE = join(ROOT, "docs/reference/errors.md");
/** `| \`PR_CODE\` | English | Korean |`, with more columns if need be. */
const ROW = /^\|\s*`(PR_[A-Z_]+)`\s*\|(.*)\|\s*$/gm;

const codes = Object.keys(ERRORS).toSorted();

test("every error code is explained in the reference, and no other", ({ skip }) => {
  if (!existsSync(REFERENCE)) skip("docs/reference/errors.md does not exist yet");
  expect(
    explained()
      .map(({ code }) => code)
      .toSorted(),
  ).toEqual(codes);
});

test("every error is explained in English and in Korean", ({ skip }) => {
  if (!existsSync(REFERENCE)) skip("docs/reference/errors.md does not exist yet");
  const incomplete = explained().filter(
    ({ columns }) => !columns.some((text) => /[a-z]{3}/i.test(text)) || !columns.some((text) => /\p{Script=Hangul}/u.test(text)),
  );
  expect(incomplete.map(({ code }) => code)).toEqual([]);
});

test("every error code is used by the library", () => {
  const texts = [...readTree(ROOT, ["packages/postrider/src"])]
    .filter(([path]) => path !== TABLE && !/\.test(-d)?\.ts$/.test(path))
    .map(([, text]) => text);
  expect(codes.filter((code) => !texts.some((text) => text.includes(`"${code}"`)))).toEqual([]);
});

function explained(): readonly { readonly code: string; readonly columns: readonly string[] }[] {
  return [...readFileSync(REFERENCE, "utf8").matchAll(ROW)].map(([, code, rest]) => ({
    code: code ?? "",
    columns: (rest ?? "").split("|"),
  }));
}
