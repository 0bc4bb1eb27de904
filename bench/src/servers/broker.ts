import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Unavailable } from "./process.ts";

/** A broker of the tests' own recipes. */
export interface Broker extends AsyncDisposable {
  readonly url: string;
  /** RabbitMQ only. */
  readonly managementUrl?: string;
}

type Address = Omit<Broker, keyof AsyncDisposable> & { readonly missing?: string };

const MAIN = join(import.meta.dirname, "..", "..", "..", "tests", "brokers", "main.ts");
const START_LIMIT_MS = 120_000;
const POLL_MS = 50;

/**
 * Starts a private broker as `npm run brokers` does, or takes the one that `POSTRIDER_TEST_KAFKA`, `POSTRIDER_TEST_RABBITMQ` … name.
 *
 * It belongs to a process of its own, which ends with ours.
 * @throws Unavailable
 */
export async function startBroker(kind: "rabbitmq" | "kafka", folder: string): Promise<Broker> {
  await mkdir(folder, { recursive: true });
  const child = spawn(process.execPath, [...process.execArgv, MAIN, "start", kind], {
    env: { ...process.env, POSTRIDER_BROKERS_FOLDER: folder },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const end = (): void => void child.kill("SIGTERM");
  process.prependOnceListener("exit", end); // before the folders go
  let [stderr, isOver] = ["", false];
  child.stderr.on("data", (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-2000)));
  child.once("close", () => (isOver = true));
  const stop = async (): Promise<void> => {
    process.off("exit", end);
    if (isOver) return;
    const closed = once(child, "close");
    end();
    await closed;
  };
  const address = await addressOf(kind, folder, () => isOver);
  if (address?.url !== undefined) return { ...address, [Symbol.asyncDispose]: stop };
  await stop();
  throw new Unavailable(address?.missing ?? `${kind} did not start: ${stderr.trim()}`);
}

async function addressOf(kind: string, folder: string, isOver: () => boolean): Promise<Address | undefined> {
  const givenUpMs = performance.now() + START_LIMIT_MS;
  while (!isOver() && performance.now() < givenUpMs) {
    const state = await readFile(join(folder, "brokers.json"), "utf8").catch(() => undefined);
    if (state !== undefined) return (JSON.parse(state) as { readonly addresses: Readonly<Record<string, Address>> }).addresses[kind];
    await sleep(POLL_MS);
  }
  return undefined;
}
