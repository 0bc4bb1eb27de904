import { join } from "node:path";
import { createConnection } from "mysql2/promise";
import { CERTIFIED_USER, makeCertificates, SECURE_PASSWORD, SECURE_USER, secureAccess } from "../certificates.ts";
import { freePorts } from "../ports.ts";
import { program } from "../programs.ts";
import type { Prepared, Recipe, ServerOptions } from "../recipe.ts";
import { runToEnd } from "../run-to-end.ts";

const QUERY_LIMIT_MS = 5000;
const IMAGE = "mariadb:11.4";
const DATABASE = "test";
const SETTINGS = { "binlog-format": "ROW", "server-id": "1", "max-connections": "300", "skip-name-resolve": "1" };

/** MariaDB of the system's packages: user root without a password, an empty database `test`, row-based binary log. */
export const mariadbRecipe: Recipe = { missing, prepare, prepareContainer };

function missing(): string | undefined {
  const isThere = program("mariadbd") !== undefined && program("mariadb-install-db") !== undefined;
  return isThere ? undefined : "MariaDB is not installed (Debian: apt-get install mariadb-server)";
}

async function prepare(folder: string, options: ServerOptions): Promise<Prepared> {
  const [port] = await freePorts(1);
  const data = join(folder, "data");
  // It runs as root only when told so.
  const common = ["--no-defaults", `--datadir=${data}`, ...(process.getuid?.() === 0 ? ["--user=root"] : [])];
  await runToEnd({
    file: program("mariadb-install-db")!,
    args: [...common, "--auth-root-authentication-method=normal", "--skip-test-db"],
    cwd: folder,
  });
  const secured = options.isSecure === true ? await secure(folder, port!) : undefined;
  const args = [...common, ...installed(folder, port!), ...flags({ ...secured?.settings, ...options.settings })];
  const first = [`create database ${DATABASE} character set utf8mb4`, ...(secured?.users ?? [])];
  return {
    ...at(port!),
    ...(secured !== undefined && { secure: secured.secure }),
    program: { file: program("mariadbd")!, args, cwd: folder, endSignal: "SIGKILL" },
    afterFirstStart: async () => {
      for (const sql of first) await run(port!, sql);
    },
  };
}

async function secure(folder: string, port: number) {
  const certificates = await makeCertificates(folder, CERTIFIED_USER);
  return {
    settings: { "ssl-ca": certificates.ca, "ssl-cert": certificates.serverCertificate, "ssl-key": certificates.serverKey },
    secure: secureAccess(certificates, {
      url: `mysql://${SECURE_USER}:${SECURE_PASSWORD}@127.0.0.1:${port}/${DATABASE}`,
      certifiedUrl: `mysql://${CERTIFIED_USER}@127.0.0.1:${port}/${DATABASE}`,
    }),
    users: [
      `create user ${SECURE_USER}@'%' identified by '${SECURE_PASSWORD}' require ssl`,
      `create user ${CERTIFIED_USER}@'%' require subject '/CN=${CERTIFIED_USER}'`,
      `grant all on ${DATABASE}.* to ${SECURE_USER}@'%', ${CERTIFIED_USER}@'%'`,
    ],
  };
}

async function prepareContainer(_folder: string, options: ServerOptions): Promise<Prepared> {
  const [port] = await freePorts(1);
  const env = { MARIADB_ALLOW_EMPTY_ROOT_PASSWORD: "1", MARIADB_DATABASE: DATABASE };
  const args = ["--log-bin", ...flags(options.settings)];
  return { ...at(port!), program: { image: IMAGE, env, ports: { [port!]: 3306 }, args } };
}

function at(port: number): { readonly url: string; readonly query: () => Promise<void> } {
  return { url: `mysql://root@127.0.0.1:${port}/${DATABASE}`, query: () => run(port, "select 1") };
}

/** The same at every start: without its binary log it does not come back from a crash. */
function installed(folder: string, port: number): readonly string[] {
  return [
    `--port=${port}`,
    "--bind-address=127.0.0.1",
    `--socket=${join(folder, "s.sock")}`,
    `--pid-file=${join(folder, "server.pid")}`,
    `--log-bin=${join(folder, "data", "binlog")}`,
  ];
}

function flags(more: Readonly<Record<string, string>> = {}): readonly string[] {
  return Object.entries({ ...SETTINGS, ...more }).map(([name, value]) => `--${name}=${value}`);
}

async function run(port: number, sql: string): Promise<void> {
  const connection = await createConnection({ host: "127.0.0.1", port, user: "root", connectTimeout: QUERY_LIMIT_MS });
  connection.on("error", () => undefined); // the query rejects as well
  try {
    await connection.query({ sql, timeout: QUERY_LIMIT_MS });
  } finally {
    connection.destroy();
  }
}
