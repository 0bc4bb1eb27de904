import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../support/run.ts";
import type { Edit, Guard } from "./guards.ts";

/** What became of the tests without a guard. */
export interface Verdict {
  /** *red*: a test failed, for the reason that was expected. *green*: none did, so the guard is not tested. *other*: something else went wrong. */
  readonly colour: "red" | "green" | "other";
  readonly detail: string;
}

/** A copy of the library and of the crash tests, to be damaged. `using copy = new GuardedCopy(root)` removes it. */
export class GuardedCopy implements Disposable {
  readonly #root: string;
  readonly #folder: string = mkdtempSync(join(tmpdir(), "postrider-guards-"));

  constructor(root: string) {
    this.#root = root;
    for (const path of ["packages/postrider/src", "packages/postrider/package.json", "tests/crash", "package.json", "vitest.config.ts"])
      cpSync(join(root, path), join(this.#folder, path), { recursive: true });
    this.#linkModules();
  }

  /** Takes a guard out, runs its test, and puts the guard back. */
  async without(guard: Guard): Promise<Verdict> {
    const originals = guard.edits.map(({ file }) => ({ file, text: readFileSync(this.#source(file), "utf8") }));
    try {
      for (const edit of guard.edits) writeFileSync(this.#source(edit.file), edited(readFileSync(this.#source(edit.file), "utf8"), edit));
      return judge(guard, await this.#failures([guard.test.file], guard.test.name));
    } finally {
      for (const { file, text } of originals.toReversed()) writeFileSync(this.#source(file), text);
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Runs tests in the copy; by test: what its failure says, or undefined where it passed. */
  async #failures(files: readonly string[], name: string): Promise<readonly (string | undefined)[]> {
    const report = join(this.#folder, "report.json");
    rmSync(report, { force: true });
    const paths = files.map((file) => `tests/crash/${file}`);
    const args = ["run", "--project", "int", ...paths, "-t", escaped(name), "--reporter=json", `--outputFile=${report}`];
    const { stdout, stderr } = await run(process.execPath, [join(this.#folder, "node_modules/vitest/vitest.mjs"), ...args], {
      cwd: this.#folder,
      env: environment(),
      limitMs: 180_000,
    });
    try {
      return failuresIn(readFileSync(report, "utf8"));
    } catch (cause) {
      throw new Error(`the tests did not run:\n${stdout.slice(-2000)}\n${stderr.slice(-2000)}`, { cause });
    }
  }

  /** Everything is shared with the checkout but the library itself. */
  #linkModules(): void {
    const modules = join(this.#folder, "node_modules");
    mkdirSync(modules);
    for (const name of readdirSync(join(this.#root, "node_modules")))
      if (name !== "postrider") symlinkSync(join(this.#root, "node_modules", name), join(modules, name));
    symlinkSync(join(this.#folder, "packages/postrider"), join(modules, "postrider"));
  }

  #source(file: string): string {
    return join(this.#folder, "packages/postrider/src", file);
  }
}

/** A text with an edit. @throws when what is to be replaced is not there exactly once */
export function edited(text: string, { file, find, replace }: Edit): string {
  const parts = text.split(find);
  if (parts.length !== 2) throw new Error(`${file} has this ${parts.length - 1} times, not once; the guard has moved:\n${find}`);
  return parts.join(replace);
}

function judge({ finds }: Guard, results: readonly (string | undefined)[]): Verdict {
  if (results.length === 0) return { colour: "other", detail: "there is no such test" };
  const failures = results.filter((failure) => failure !== undefined);
  if (failures.length === 0) return { colour: "green", detail: "every test passed" };
  const wanted = typeof finds === "string" ? `${finds}: ` : finds.text;
  const found = failures.some((failure) => failure.includes(wanted));
  return found ? { colour: "red", detail: wanted } : { colour: "other", detail: failures.join("\n").slice(0, 1500) };
}

interface Report {
  readonly testResults: readonly {
    readonly message?: string;
    readonly assertionResults: readonly { readonly status: string; readonly failureMessages?: readonly string[] }[];
  }[];
}

function failuresIn(text: string): readonly (string | undefined)[] {
  return (JSON.parse(text) as Report).testResults.flatMap(({ assertionResults }) =>
    assertionResults
      .filter(({ status }) => status === "passed" || status === "failed")
      .map(({ status, failureMessages }) => (status === "passed" ? undefined : (failureMessages ?? []).join("\n"))),
  );
}

function escaped(name: string): string {
  return name.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

/** A test that runs in a test must not take the outer one's settings for its own. */
function environment(): NodeJS.ProcessEnv {
  const rest = Object.entries(process.env).filter(([name]) => !name.startsWith("VITEST") && name !== "NODE_OPTIONS" && name !== "TEST");
  return Object.fromEntries(rest);
}
