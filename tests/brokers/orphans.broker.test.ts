import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/project.ts";
import { BROKER_KINDS, type BrokerKind } from "./kinds.ts";
import { missingOwn } from "./own.ts";
import { descendants, isAlive } from "./processes.ts";

const OWNER = join(import.meta.dirname, "orphans-owner.ts");
const GONE = { timeout: 60_000, interval: 100 };

test("no process and no file stays behind when the owner is killed", async () => {
  await using owner = await startOwner(BROKER_KINDS);
  owner.process.kill("SIGKILL");
  await expect.poll(() => owner.processes.filter(isAlive), GONE).toEqual([]);
  await expect.poll(() => readdirSync(owner.folder), GONE).toEqual([]);
});

test("no process and no file stays behind when the owner ends and has closed nothing", async () => {
  await using owner = await startOwner(["postgres"]);
  owner.process.stdin.end();
  await expect.poll(() => owner.processes.filter(isAlive), GONE).toEqual([]);
  await expect.poll(() => readdirSync(owner.folder), GONE).toEqual([]);
});

/** A process with servers, all processes below it, and the folder that has all its files. */
async function startOwner(kinds: readonly BrokerKind[]) {
  const folder = temporaryFolder("orphans");
  chmodSync(folder.path, 0o755); // PostgreSQL's user must get in
  const owner = spawn(
    process.execPath,
    ["--conditions=@postrider/source", OWNER, ...kinds.filter((kind) => missingOwn(kind) === undefined)],
    {
      env: { ...process.env, TMPDIR: folder.path, NODE_OPTIONS: "" },
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  const said = once(owner.stdout, "data");
  await Promise.race([said, once(owner, "exit").then(([code]) => expect.fail(`the owner ended by itself with ${code}`))]);
  return {
    process: owner,
    processes: [owner.pid!, ...descendants(owner.pid!)],
    folder: folder.path,
    [Symbol.asyncDispose]: async () => {
      owner.kill("SIGKILL");
      folder[Symbol.dispose]();
    },
  };
}
