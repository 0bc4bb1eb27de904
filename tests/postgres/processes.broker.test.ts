import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { missingOwn, ownBroker } from "../brokers/own.ts";
import { until } from "./wait.ts";
import { World } from "./world.ts";

const missing = missingOwn("postgres");
const KEYS = 100;

let workers: ChildProcess[] = [];
let count = 0;

async function startWorker(url: string): Promise<ChildProcess> {
  const worker = fork(join(import.meta.dirname, "worker.ts"), [url, "app", `worker-${++count}`], {
    execArgv: ["--conditions=@postrider/source", "--disable-warning=ExperimentalWarning"],
    stdio: ["ignore", "ignore", "ignore", "ipc"], // each kill of a server's connection is a line of its log
  });
  workers.push(worker);
  await once(worker, "message");
  return worker;
}

async function end(worker: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  workers = workers.filter((one) => one !== worker);
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  const gone = once(worker, "exit");
  worker.kill(signal);
  await gone;
}

afterEach(async () => {
  for (const worker of workers) worker.kill("SIGCONT");
  await Promise.all(workers.map((worker) => end(worker, "SIGKILL")));
});

/** Sends so many a second until it is told to stop; returns what was taken. */
function sendSteadily(world: World): { stop(): Promise<string[]> } {
  const ids: string[] = [];
  const sends: Promise<unknown>[] = [];
  const stop = new AbortController();
  const running = (async () => {
    for (let at = 0; !stop.signal.aborted; at++) {
      const id = `m-${String(at).padStart(7, "0")}`;
      const sent = world.transport.send([world.message(id, `k-${at % KEYS}`)], { deadlineMs: 60_000 });
      sends.push(sent.then(([outcome]) => (outcome === undefined ? ids.push(id) : Promise.reject(outcome))));
      if (at % 5 === 4) await sleep(20);
    }
  })();
  return {
    stop: async () => {
      stop.abort();
      await running;
      await Promise.all(sends);
      return ids.toSorted();
    },
  };
}

// Without a server there is nothing to share: the name says why there is none.
describe.skipIf(missing !== undefined)(`several processes on PostgreSQL${missing === undefined ? "" : ` (skipped: ${missing})`}`, () => {
  test("each message is handled once and each key in order while processes are killed, frozen past their lease, ended and started", async () => {
    await using server = await ownBroker("postgres");
    await using sender = new World("sender", { url: server.url, schema: "app" });
    await sender.open();
    for (let at = 0; at < 3; at++) await startWorker(server.url);
    const sending = sendSteadily(sender);
    for (let round = 0; round < 4; round++) {
      await end(workers[0]!, "SIGKILL");
      await startWorker(server.url);
      const frozen = workers[0]!;
      frozen.kill("SIGSTOP");
      await sleep(3500); // longer than the lease: others must take over
      frozen.kill("SIGCONT");
      await end(workers[1]!, "SIGTERM");
      await startWorker(server.url);
    }
    const ids = await sending.stop();
    await until(async () => (await sender.ledgerCount()) >= ids.length);
    expect(await sender.faults(ids)).toEqual([]);
    expect(ids.length).toBeGreaterThan(2000);
    console.info(`${ids.length} messages, each handled once`);
  });
});
