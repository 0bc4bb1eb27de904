import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, globSync, mkdirSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT, temporaryFolder } from "./support/project.ts";
import { type Ended, run } from "./support/run.ts";

/** All that a first start needs of a clone. */
const CLONED = [
  "package.json",
  "package-lock.json",
  ".npmrc",
  "scripts",
  ...globSync(["packages/*/package.json", "examples/*/package.json", "bench/package.json"], { cwd: ROOT }),
];
const READY = ["node", "-p", "'ready'"];
const INSTALLING = /installing .*once/g;
const WAITING = /waiting for it/g;

test("of several starts on a fresh clone one installs, the others wait, and the next installs nothing", async () => {
  using clone = freshClone();
  const first = await Promise.all([start(clone.path, READY), start(clone.path, READY), start(clone.path, READY)]);
  expect(first.map(({ code, stdout }) => ({ code, stdout }))).toEqual(first.map(() => ({ code: 0, stdout: "ready\n" })));
  expect(count(first, INSTALLING)).toBe(1);
  expect(count(first, WAITING)).toBe(2);

  const second = await start(clone.path, READY);
  expect(second).toMatchObject({ code: 0, stdout: "ready\n", stderr: "" });
  expect(existsSync(join(clone.path, "node_modules/vitest"))).toBe(false);
});

test("the lock of a start that was killed holds nobody up", async () => {
  using clone = freshClone();
  const killed = spawn(process.execPath, ["--version"], { stdio: "ignore" });
  await once(killed, "exit");
  const lock = join(clone.path, ".postrider", "install.lock");
  mkdirSync(lock, { recursive: true });
  writeFileSync(join(lock, "owner.json"), JSON.stringify({ pid: killed.pid, host: hostname() }));
  const ended = await start(clone.path, READY);
  expect(ended).toMatchObject({ code: 0, stdout: "ready\n" });
  expect(ended.stderr).not.toMatch(WAITING);
});

test("without a registry the one line says so, and the next start mends it", async () => {
  using clone = freshClone();
  const nowhere = {
    npm_config_registry: "http://127.0.0.1:9/",
    npm_config_fetch_retries: "0",
    npm_config_cache: join(clone.path, "cache"),
  };
  const ended = await start(clone.path, READY, nowhere);
  expect(ended.code).toBe(1);
  expect(ended.stderr).toMatch(/registry cannot be reached/);
  expect(await start(clone.path, READY)).toMatchObject({ code: 0, stdout: "ready\n" });
});

test("a signal to the start alone reaches the command, and its exit code comes back", async () => {
  const command = ["node", "-e", 'process.once("SIGTERM", () => process.exit(7)); setInterval(() => {}, 1000); console.log("up")'];
  const child = spawn(process.execPath, [join(ROOT, "scripts/bootstrap.mjs"), "run", "--start", ...command], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([7, null]);
});

test("a command that is killed by a signal ends its start by the same signal", async () => {
  const child = spawn(
    process.execPath,
    [join(ROOT, "scripts/bootstrap.mjs"), "run", "--start", "node", "-e", 'process.kill(process.pid, "SIGKILL")'],
    { cwd: ROOT, stdio: "inherit" },
  );
  expect(await once(child, "exit")).toEqual([null, "SIGKILL"]);
});

function freshClone(): Disposable & { readonly path: string } {
  const folder = temporaryFolder("clone");
  for (const path of CLONED) cpSync(join(ROOT, path), join(folder.path, path), { recursive: true });
  return folder;
}

function start(clone: string, command: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const args = [join(clone, "scripts/bootstrap.mjs"), "run", "--start", ...command];
  return run(process.execPath, args, { cwd: clone, env: { ...process.env, ...env }, limitMs: 100_000 });
}

function count(ended: readonly Ended[], pattern: RegExp): number {
  return ended.reduce((sum, { stderr }) => sum + (stderr.match(pattern)?.length ?? 0), 0);
}
