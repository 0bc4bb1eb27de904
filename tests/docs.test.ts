import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type Block, blocksOf, headingLevels } from "./support/markdown.ts";
import { ROOT, temporaryFolder, tool } from "./support/project.ts";
import { run } from "./support/run.ts";

/** Inside the checkout, so that `postrider` and `zod` resolve as they do for the examples. */
const WORKPLACE = join(ROOT, ".postrider", "docs");
const LIMIT_MS = 120_000;

const pages = [...globSync(["README.md", "README.ko.md", "docs/guide/**/*.md", "docs/ko/**/*.md"], { cwd: ROOT })].toSorted();
const blocks = pages.flatMap((page) => blocksOf(page, readFileSync(join(ROOT, page), "utf8"))).filter(({ info }) => info[0] === "ts");
const runnable = blocks.filter(({ info }) => info.includes("run"));
let mistakes: readonly string[] = [];

beforeAll(async () => {
  rmSync(WORKPLACE, { recursive: true, force: true });
  mkdirSync(WORKPLACE, { recursive: true });
  for (const block of blocks) writeFileSync(fileOf(block), `${block.text}\nexport {};\n`);
  writeFileSync(
    join(WORKPLACE, "tsconfig.json"),
    JSON.stringify({ extends: "../../tsconfig.leaf.json", compilerOptions: { incremental: false }, include: ["*.ts"] }),
  );
  const { stdout } =
    blocks.length > 0
      ? await run(tool("tsc"), ["-p", WORKPLACE, "--pretty", "false"], { cwd: WORKPLACE, limitMs: LIMIT_MS })
      : { stdout: "" };
  mistakes = stdout.split("\n");
  const broken = mistakes.filter((line) => line.startsWith("error "));
  if (broken.length > 0) throw new Error(`the compiler could not begin: ${broken.join("; ")}`);
}, LIMIT_MS);

// Left out only while there is none.
describe.skipIf(blocks.length === 0)("the code in README and guide", () => {
  test.each(blocks.map((block) => ({ at: nameOf(block), block })))("$at compiles", ({ block }) => {
    const file = relative(WORKPLACE, fileOf(block));
    expect(mistakes.filter((line) => line.startsWith(`${file}(`))).toEqual([]);
  });

  test.each(runnable.map((block) => ({ at: nameOf(block), block })))(
    "$at runs",
    async ({ block }) => {
      using folder = temporaryFolder("docs");
      const ended = await run(process.execPath, ["--conditions=@postrider/source", fileOf(block)], { cwd: folder.path, limitMs: 30_000 });
      expect(ended).toMatchObject({ code: 0, stdout: block.output ?? ended.stdout });
    },
    LIMIT_MS,
  );
});

describe("pages in two languages", () => {
  const twins = pages.flatMap((korean): { readonly korean: string; readonly english: string }[] => {
    if (korean === "README.ko.md") return [{ korean, english: "README.md" }];
    return korean.startsWith("docs/ko/") ? [{ korean, english: korean.replace("docs/ko/", "docs/guide/") }] : [];
  });

  test.each(twins)("$korean has the sections and the code of $english", ({ korean, english }) => {
    expect(headingLevels(readFileSync(join(ROOT, korean), "utf8"))).toEqual(headingLevels(readFileSync(join(ROOT, english), "utf8")));
    expect(codeOf(korean)).toEqual(codeOf(english));
  });
});

function codeOf(path: string): readonly string[] {
  return blocksOf(path, readFileSync(join(ROOT, path), "utf8")).map(({ info, text }) => `${info.join(" ")}\n${text}`);
}

function nameOf({ page, line }: Block): string {
  return `${page}:${line}`;
}

function fileOf(block: Block): string {
  return join(WORKPLACE, `${block.page.replaceAll(/[^a-zA-Z0-9]+/g, "-")}-${block.line}.ts`);
}
