import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { Bus } from "postrider";
import { missingOwn, ownBroker } from "../brokers/own.ts";
import { AddThing, sharingApp } from "./sharing-app.ts";
import { until } from "./wait.ts";

const missing = missingOwn("postgres");
const THINGS = 2000;
const LOOKS_EVERY = 25;
const MAX_STARTS = 4; // the default of a service

let worker: ChildProcess | undefined;
let folder: string | undefined;

afterEach(async () => {
  if (worker?.exitCode === null && worker.signalCode === null) {
    const gone = once(worker, "exit");
    worker.kill("SIGKILL");
    await gone;
  }
  if (folder !== undefined) rmSync(folder, { recursive: true });
});

/** What a supervisor would do, until every message is done or given up. */
async function superviseUntilDone(bus: Bus, url: string, poisonFile: string): Promise<number> {
  for (let ends = 0; ; ends++) {
    worker = fork(join(import.meta.dirname, "sharing-worker.ts"), [url, poisonFile], {
      execArgv: ["--conditions=@postrider/source", "--disable-warning=ExperimentalWarning"],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    const ended = once(worker, "exit");
    const done = until(async () => worker!.signalCode !== null || (await bus.operations.deadLetters()).length === 1);
    await Promise.race([ended, done]);
    if (worker.signalCode === null) return ends;
  }
}

async function rows(bus: Bus): Promise<readonly string[]> {
  return (await bus.as("posting").read.all<{ id: string }>("select id from things order by id")).map(({ id }) => id);
}

// Without a server there is nothing to share: the name says why there is none.
describe.skipIf(missing !== undefined)(`shared transactions and crashes${missing === undefined ? "" : ` (skipped: ${missing})`}`, () => {
  test("a message that ends its process within a shared transaction takes nobody's effect with it, and becomes a dead letter", async () => {
    await using server = await ownBroker("postgres");
    folder = mkdtempSync(join(tmpdir(), "postrider-sharing-"));
    const poisonFile = join(folder, "poison");
    await using bus = await sharingApp(server.url, "posting", poisonFile);
    const posting = bus.as("posting");
    await posting.transaction(async ({ tx }) => void (await tx.run("create table things (id text)"))); // no key: what came twice would show
    const ids = Array.from({ length: THINGS }, (_, at) => `${at % LOOKS_EVERY === 0 ? "look" : "thing"}-${String(at).padStart(4, "0")}`);
    await Promise.all(ids.map((id) => posting.send(AddThing, { id })));

    const ends = await superviseUntilDone(bus, server.url, poisonFile);
    const poison = readFileSync(poisonFile, "utf8");
    const sound = ids.filter((id) => id !== poison).toSorted();
    await until(async () => (await rows(bus)).length >= sound.length);

    expect(await rows(bus)).toEqual(sound);
    expect((await bus.operations.deadLetters()).map(({ code }) => code)).toEqual(["PR_POISON"]);
    expect(ends).toBe(MAX_STARTS);
  });
});
