import { cpSync, existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { nodePackage, SUPPORTED_NODES } from "../scripts/bootstrap/node-versions.mjs";
import { prepareNode } from "../scripts/bootstrap/prepare.mjs";
import { ROOT, temporaryFolder, tool } from "./support/project.ts";
import { run, runWell } from "./support/run.ts";

/** The oldest compiler whose users the declarations must please, beside the workspace's own. */
const OLD_TYPESCRIPT = "5.9.3";
const LIBRARY = join(ROOT, "packages/postrider");
const QUIET = ["--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"];
const GREETINGS = { "main.js": "hello import\nhello import\n", "main.cjs": "hello require\n" };

const workplace = temporaryFolder("packed");
const consumer = join(workplace.path, "consumer");

beforeAll(async () => {
  mkdirSync(consumer);
  const tarball = await pack(join(workplace.path, "package"));
  const { version: zod } = JSON.parse(readFileSync(join(ROOT, "node_modules/zod/package.json"), "utf8")) as { readonly version: string };
  const dependencies = { postrider: `file:${tarball}`, zod };
  writeFileSync(
    join(consumer, "package.json"),
    JSON.stringify({ private: true, type: "module", dependencies, devDependencies: { typescript: OLD_TYPESCRIPT } }),
  );
  await runWell("npm", ["install", "--ignore-scripts", ...QUIET], { cwd: consumer, limitMs: 100_000 });
  for (const file of ["main.ts", "main.cjs"]) cpSync(join(ROOT, "tests/consumer", file), join(consumer, file));
  writeFileSync(join(consumer, "tsconfig.json"), JSON.stringify({ compilerOptions: consumerOptions(), include: ["main.ts"] }));
});

afterAll(() => workplace[Symbol.dispose]());

test("the package holds what it runs from and what its maps point to, and no tests", () => {
  const files = globSync("**/*", { cwd: join(consumer, "node_modules/postrider") });
  for (const needed of ["package.json", "LICENSE", "dist/index.js", "dist/index.d.ts", "dist/index.d.ts.map", "src/index.ts"])
    expect(files).toContain(needed);
  expect(files.filter((file) => /\.test(-d)?\.|tsbuildinfo|\.db$/.test(file))).toEqual([]);
});

test("the package type-checks with the workspace's compiler, and compiles", async () => {
  expect(await runWell(tool("tsc"), ["-p", consumer], { cwd: consumer })).toBe("");
});

test(`the package type-checks with TypeScript ${OLD_TYPESCRIPT}`, async () => {
  const compiler = join(consumer, "node_modules/typescript/bin/tsc");
  expect(await runWell(process.execPath, [compiler, "-p", consumer, "--noEmit"], { cwd: consumer })).toBe("");
});

const runs = SUPPORTED_NODES.flatMap((version) => Object.entries(GREETINGS).map(([file, greeting]) => ({ version, file, greeting })));

test.for(runs)("Node $version runs the package by $file", async ({ version, file, greeting }, { skip }) => {
  if (nodePackage(version) === undefined && !process.version.startsWith(`v${version}`))
    skip(`no Node ${version} is known for ${process.platform}-${process.arch}`);
  const node = process.version === `v${version}` ? process.execPath : await prepareNode(version);
  if (!existsSync(join(consumer, "main.js"))) await runWell(tool("tsc"), ["-p", consumer], { cwd: consumer });
  using folder = temporaryFolder("run");
  expect(await run(node, [join(consumer, file)], { cwd: folder.path, limitMs: 30_000 })).toMatchObject({ code: 0, stdout: greeting });
});

/** Builds from the sources into a folder of its own, so that nothing left over from an earlier build gets in. */
async function pack(folder: string): Promise<string> {
  mkdirSync(folder);
  for (const part of ["package.json", "LICENSE", "src"]) cpSync(join(LIBRARY, part), join(folder, part), { recursive: true });
  const output = ["--outDir", join(folder, "dist"), "--tsBuildInfoFile", join(workplace.path, "tsbuildinfo")];
  await runWell(tool("tsc"), ["-p", LIBRARY, ...output], { cwd: LIBRARY });
  const [packed] = JSON.parse(await runWell("npm", ["pack", "--json", "--pack-destination", workplace.path], { cwd: folder })) as readonly {
    readonly filename: string;
  }[];
  return join(workplace.path, packed?.filename ?? "");
}

/** Strict, and without `skipLibCheck`: our declarations are what is checked. */
function consumerOptions(): Readonly<Record<string, unknown>> {
  return {
    target: "es2024",
    lib: ["es2024", "esnext.disposable"],
    module: "nodenext",
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    types: ["node"],
    typeRoots: [join(ROOT, "node_modules/@types")],
  };
}
