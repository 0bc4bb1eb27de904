import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { freePort, programPath, startProcess, Unavailable, versionOf, type Server } from "./process.ts";

/** A database of a case's own. */
export interface FreshDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

const PACKAGED = ["/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin"];
const USER = "postgres"; // the server refuses to run as root
const SETTINGS = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=512MB", "wal_level=logical"];
const run = promisify(execFile);

/** Starts a private PostgreSQL as it comes: fsync and synchronous_commit on. @throws Unavailable */
export async function startPostgres(folder: string): Promise<Server> {
  const given = process.env["POSTRIDER_BENCH_POSTGRES_URL"];
  if (given !== undefined) return { url: given, version: "given", [Symbol.asyncDispose]: () => Promise.resolve() };
  const program = programPath("postgres", PACKAGED);
  const initdb = join(dirname(program), "initdb");
  await mkdir(folder, { recursive: true });
  const cluster = join(folder, "cluster");
  const [asUser, ...userArgs] = await unprivileged(folder);
  const initialize = [...userArgs, initdb, "-D", cluster, "-A", "trust", "-U", USER, "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"];
  await run(asUser, initialize, { cwd: "/" }).catch((error: unknown) => {
    throw new Unavailable(`initdb failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  });
  const port = await freePort();
  const url = `postgres://${USER}@127.0.0.1:${String(port)}/postgres`;
  const settings = SETTINGS.flatMap((setting) => ["-c", setting]);
  const stop = await startProcess(asUser, [...userArgs, program, "-D", cluster, "-p", String(port), ...settings], {
    cwd: "/",
    stopSignal: "SIGINT", // fast shutdown: does not wait for connections
    answers: () => withClient(url, (client) => client.query("select 1")),
  });
  return { url, version: await versionOf(program), [Symbol.asyncDispose]: stop };
}

/** Makes a database that nobody has used: peers are several times slower on one that is full of finished jobs. */
export async function freshDatabase(url: string): Promise<FreshDatabase> {
  const name = `postrider_bench_${String(process.pid)}`;
  await withClient(url, (client) => client.query(`create database ${name}`));
  const database = new URL(url);
  database.pathname = `/${name}`;
  const drop = (): Promise<void> => withClient(url, (client) => client.query(`drop database ${name} with (force)`));
  return { url: database.href, drop };
}

async function withClient(url: string, work: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client({ connectionString: url });
  client.on("error", () => {}); // a server that ends says so to every connection
  try {
    await client.connect();
    await work(client);
  } finally {
    await client.end();
  }
}

/** A program that runs another without root's rights, in place of itself, so that its pid is the server's; the folder becomes that user's. */
async function unprivileged(folder: string): Promise<readonly [string, ...string[]]> {
  if (process.getuid?.() !== 0) return [programPath("env")];
  try {
    await run("chown", [USER, folder]);
  } catch (error) {
    throw new Unavailable(`the user ${USER}, whom PostgreSQL needs when root runs the bench, does not exist`, { cause: error });
  }
  return [programPath("setpriv"), `--reuid=${USER}`, `--regid=${USER}`, "--clear-groups"];
}
