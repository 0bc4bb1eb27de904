import { execFileSync } from "node:child_process";
import { chownSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { CERTIFIED_USER, makeCertificates, SECURE_PASSWORD, SECURE_USER, secureAccess } from "../certificates.ts";
import { freePorts } from "../ports.ts";
import { program, versionFolders } from "../programs.ts";
import type { Prepared, Recipe, ServerOptions } from "../recipe.ts";
import { runToEnd } from "../run-to-end.ts";

const QUERY_LIMIT_MS = 5000;
const IMAGE = "postgres:17";
const SETTINGS = { wal_level: "logical", max_connections: "300", max_wal_senders: "20", max_replication_slots: "20" };
const INSTALLED = {
  listen_addresses: "127.0.0.1",
  // None: after a SIGKILL a stale lock file of the socket refuses an immediate start.
  unix_socket_directories: "",
  // In the data folder: a SIGKILL leaves nothing behind in /dev/shm.
  dynamic_shared_memory_type: "mmap",
};

/** PostgreSQL of the system's packages, with logical replication, trusting everyone on loopback. */
export const postgresRecipe: Recipe = { missing, prepare, prepareContainer };

function missing(): string | undefined {
  if (binary("initdb") === undefined) return "PostgreSQL is not installed (Debian: apt-get install postgresql)";
  return process.getuid?.() === 0 && postgresUser() === undefined ? "PostgreSQL refuses root, and there is no user `postgres`" : undefined;
}

async function prepare(folder: string, options: ServerOptions): Promise<Prepared> {
  const [port] = await freePorts(1);
  const data = join(folder, "data");
  const owner = { cwd: folder, ...asUser(folder) };
  await runToEnd({
    ...owner,
    file: binary("initdb")!,
    args: ["-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"],
  });
  // SIGQUIT is its immediate shutdown; unlike SIGKILL it gives back the shared memory.
  const secured = options.isSecure === true ? await secure(folder, port!) : undefined;
  const args = ["-D", data, ...flags({ ...INSTALLED, port: `${port}`, ...secured?.settings, ...options.settings })];
  return { ...at(port!), ...secured?.prepared, program: { ...owner, file: binary("postgres")!, args, endSignal: "SIGQUIT" } };
}

async function prepareContainer(_folder: string, options: ServerOptions): Promise<Prepared> {
  const [port] = await freePorts(1);
  const env = { POSTGRES_HOST_AUTH_METHOD: "trust" };
  return { ...at(port!), program: { image: IMAGE, env, ports: { [port!]: 5432 }, args: flags(options.settings ?? {}) } };
}

async function secure(folder: string, port: number) {
  const certificates = await makeCertificates(folder, CERTIFIED_USER);
  const user = process.getuid?.() === 0 ? postgresUser() : undefined;
  if (user !== undefined) chownSync(certificates.serverKey, user.uid, user.gid);
  const rules = ["hostssl all secure all scram-sha-256", "hostssl all certified all cert", "host all,replication postgres all trust"];
  writeFileSync(join(folder, "data", "pg_hba.conf"), `${rules.join("\n")}\n`);
  const secure = secureAccess(certificates, {
    url: `postgres://${SECURE_USER}:${SECURE_PASSWORD}@127.0.0.1:${port}/postgres`,
    certifiedUrl: `postgres://${CERTIFIED_USER}@127.0.0.1:${port}/postgres`,
  });
  const users = `create role ${SECURE_USER} login superuser password '${SECURE_PASSWORD}'; create role ${CERTIFIED_USER} login superuser`;
  return {
    settings: {
      ssl: "on",
      ssl_cert_file: certificates.serverCertificate,
      ssl_key_file: certificates.serverKey,
      ssl_ca_file: certificates.ca,
    },
    prepared: { secure, afterFirstStart: () => query(at(port).url, users) },
  };
}

function at(port: number): { readonly url: string; readonly query: () => Promise<void> } {
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  return { url, query: () => query(url) };
}

function flags(more: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries({ ...SETTINGS, ...more }).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

/** After a crash it accepts connections before it accepts SQL. */
async function query(url: string, sql = "select 1"): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: QUERY_LIMIT_MS, query_timeout: QUERY_LIMIT_MS });
  client.on("error", () => undefined); // the query rejects as well
  try {
    await client.connect();
    await client.query(sql);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function binary(name: string): string | undefined {
  return program(name, [...versionFolders("/usr/lib/postgresql", "bin"), ...versionFolders("/usr/pgsql", "bin")]);
}

/** Root may not run it: the packages' own user does, and then the folder is that user's. */
function asUser(folder: string): { readonly user?: { readonly uid: number; readonly gid: number } } {
  const user = process.getuid?.() === 0 ? postgresUser() : undefined;
  if (user === undefined) return {};
  chownSync(folder, user.uid, user.gid);
  return { user };
}

function postgresUser(): { readonly uid: number; readonly gid: number } | undefined {
  try {
    const id = (flag: string): number =>
      Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
    return { uid: id("-u"), gid: id("-g") };
  } catch {
    return undefined; // no such user
  }
}
