import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ROOT } from "../support/project.ts";
import { startBench } from "./bench.ts";
import type { BrokerAddresses } from "./kinds.ts";
import { commandOf, isAlive, signalTo } from "./processes.ts";

const FOLDER = process.env["POSTRIDER_BROKERS_FOLDER"] || join(ROOT, ".postrider");
const STATE = join(FOLDER, "brokers.json");
const LOG = join(FOLDER, "brokers.log");
const MAIN = join(import.meta.dirname, "main.ts");
const POLL_MS = 50;

/** The servers that run for this checkout, and the process that they belong to. */
export interface DevelopmentState {
  readonly pid: number;
  readonly addresses: BrokerAddresses;
}

/** Undefined if none run, or if their process has died: then they are gone as well. */
export function readState(): DevelopmentState | undefined {
  try {
    const state = JSON.parse(readFileSync(STATE, "utf8")) as DevelopmentState;
    // The number alone proves nothing: it may be another process's by now.
    return isAlive(state.pid) && commandOf(state.pid).includes(MAIN) ? state : undefined;
  } catch {
    return undefined; // none were started
  }
}

/** Starts them in this process, which then stays until SIGINT, SIGTERM or SIGHUP. */
export async function startInForeground(): Promise<BrokerAddresses> {
  const running = readState();
  if (running !== undefined) throw new Error(`brokers run already, under process ${running.pid}: "npm run brokers -- urls" or "… stop"`);
  const bench = await startBench();
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${STATE}.new`, JSON.stringify({ pid: process.pid, addresses: bench.addresses } satisfies DevelopmentState));
  renameSync(`${STATE}.new`, STATE);
  const stays = setInterval(() => undefined, 2 ** 30);
  let isEnding = false;
  const end = async (): Promise<void> => {
    if (isEnding) return; // a terminal and npm both send it
    isEnding = true;
    rmSync(STATE, { force: true });
    await bench.close();
    clearInterval(stays);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void end());
  return bench.addresses;
}

/** Starts them in a process of their own, and resolves when they answer. Where they run already, those are the answer. */
export async function startInBackground(): Promise<BrokerAddresses> {
  const running = readState();
  if (running !== undefined) return running.addresses;
  mkdirSync(FOLDER, { recursive: true });
  const log = openSync(LOG, "w");
  const child = spawn(process.execPath, [...process.execArgv, MAIN, "start"], { cwd: ROOT, detached: true, stdio: ["ignore", log, log] });
  closeSync(log);
  let isOver = false;
  child.once("exit", () => (isOver = true));
  await once(child, "spawn");
  for (let state = readState(); ; state = readState()) {
    if (state !== undefined) {
      child.unref();
      return state.addresses;
    }
    if (isOver) throw new Error(`they did not start:\n${readFileSync(LOG, "utf8")}`);
    await sleep(POLL_MS);
  }
}

/** Ends them, wherever they were started from; resolves when they are gone. */
export async function stop(): Promise<void> {
  const state = readState();
  if (state === undefined) throw new Error("no brokers run for this checkout");
  signalTo(state.pid, "SIGTERM");
  while (isAlive(state.pid)) await sleep(POLL_MS);
}
