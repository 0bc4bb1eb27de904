import { mkdir } from "node:fs/promises";
import { Redis } from "ioredis";
import { freePort, programPath, startProcess, versionOf, type Server } from "./process.ts";

/** Starts a private Redis: in memory only, or with an append-only file that is synced every second. @throws Unavailable */
export async function startRedis(folder: string, { isSynced }: { readonly isSynced: boolean }): Promise<Server> {
  const given = process.env[isSynced ? "POSTRIDER_BENCH_REDIS_AOF_URL" : "POSTRIDER_BENCH_REDIS_URL"];
  if (given !== undefined) return { url: given, version: "given", [Symbol.asyncDispose]: () => Promise.resolve() };
  const program = programPath("redis-server");
  const port = await freePort();
  await mkdir(folder, { recursive: true });
  const persistence = isSynced ? ["--appendonly", "yes", "--appendfsync", "everysec"] : ["--appendonly", "no"];
  const stop = await startProcess(program, ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", ...persistence], {
    cwd: folder,
    stopSignal: "SIGTERM",
    answers: () => ping(port),
  });
  return { url: `redis://127.0.0.1:${String(port)}`, version: await versionOf(program), [Symbol.asyncDispose]: stop };
}

async function ping(port: number): Promise<void> {
  const client = new Redis({ port, host: "127.0.0.1", lazyConnect: true, retryStrategy: () => null });
  client.on("error", () => {}); // the promise below says it
  try {
    await client.connect();
    await client.ping();
  } finally {
    client.disconnect();
  }
}
