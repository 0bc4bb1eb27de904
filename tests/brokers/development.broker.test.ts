import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { expect, test } from "vitest";
import { ROOT, temporaryFolder } from "../support/project.ts";
import { run, runWell } from "../support/run.ts";
import { missingOwn } from "./own.ts";

const MAIN = ["--conditions=@postrider/source", join(import.meta.dirname, "main.ts")];
const missing = missingOwn("postgres");

// The reason stands in the name.
test.skipIf(missing !== undefined)(
  `brokers start in the background once, say where they are, and stop${missing ? ` (${missing})` : ""}`,
  async () => {
    using folder = temporaryFolder("development");
    const env = environment(folder.path);
    const started = await runWell(process.execPath, [...MAIN, "start", "--background", "postgres"], { cwd: ROOT, env, limitMs: 100_000 });
    const again = await runWell(process.execPath, [...MAIN, "start", "--background"], { cwd: ROOT, env });
    expect([again, await runWell(process.execPath, [...MAIN, "urls"], { cwd: ROOT, env })]).toEqual([started, started]);
    const client = new Client({ connectionString: /POSTRIDER_TEST_POSTGRES='(.*)'/.exec(started)![1]! });
    await client.connect();
    await client.end();
    await runWell(process.execPath, [...MAIN, "stop"], { cwd: ROOT, env });
    expect(existsSync(join(folder.path, "brokers.json"))).toBe(false);
    expect(await run(process.execPath, [...MAIN, "stop"], { cwd: ROOT, env })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("no brokers run"),
    });
  },
);

// The reason stands in the name.
test.skipIf(missing !== undefined)(
  `in the foreground a repeated SIGINT ends them in good order${missing ? ` (${missing})` : ""}`,
  async () => {
    using folder = temporaryFolder("development");
    const main = spawn(process.execPath, [...MAIN, "start", "postgres"], {
      cwd: ROOT,
      env: environment(folder.path),
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(main.stdout, "data");
    main.kill("SIGINT");
    main.kill("SIGINT");
    expect(await once(main, "exit")).toEqual([0, null]);
    expect(existsSync(join(folder.path, "brokers.json"))).toBe(false);
  },
);

/** A place of its own for what runs: the developer's own brokers are left alone. */
function environment(folder: string): NodeJS.ProcessEnv {
  const { POSTRIDER_TEST_POSTGRES: _url, NODE_OPTIONS: _options, ...rest } = process.env;
  return { ...rest, POSTRIDER_BROKERS_FOLDER: folder };
}
