import { fail } from "../../base/errors.ts";
import type { MysqlConnection } from "./connection.ts";
import type { Row } from "../../rows/columns.ts";
import { KEY_LOCKS, LOCK_KINDS } from "./place.ts";

const LOCK = "'postrider migrations'";
const LOCK_WAIT_SECONDS = 60;

/**
 * Brings the tables up to date and makes a service's locks.
 *
 * Safe with any number of processes at once: one at a time holds a lock of its connection. A definition cannot be rolled back here, so each statement does nothing where it was
 * done before, and a crash between two leaves the rest to the next start.
 * @throws PR_STORE_VERSION when a newer release was there; the vendor's error
 */
export async function migrate(connection: MysqlConnection, service: Buffer, steps: readonly string[]): Promise<void> {
  const [locked] = await rowsOf(connection, `select get_lock(concat(${LOCK}, database()), ${LOCK_WAIT_SECONDS}) as isOurs`);
  if (Number(locked?.["isOurs"]) !== 1) throw new Error(`another process has been migrating for ${LOCK_WAIT_SECONDS} s`);
  try {
    await connection.query(
      "create table if not exists postrider_migrations (part varchar(32) not null, version int not null, at timestamp(3) not null default current_timestamp(3), primary key (part, version))",
    );
    const [row] = await rowsOf(connection, "select max(version) as version from postrider_migrations where part = 'store'");
    const found = Number(row?.["version"] ?? 0);
    if (found > steps.length) throw fail("PR_STORE_VERSION", { file: "The database (store)", found, known: steps.length });
    for (let at = found; at < steps.length; at++) {
      for (const statement of steps[at]!.split(";")) if (statement.trim() !== "") await connection.query(statement);
      await connection.query(`insert into postrider_migrations (part, version) values ('store', ${at + 1})`);
    }
    await makeLocks(connection, service);
  } finally {
    await connection.query(`select release_lock(concat(${LOCK}, database()))`);
  }
}

async function makeLocks(connection: MysqlConnection, service: Buffer): Promise<void> {
  const name = `x'${service.toString("hex")}'`;
  const [row] = await rowsOf(connection, `select count(*) as count from pr_locks where service = ${name}`);
  const buckets = Array.from({ length: KEY_LOCKS }, (_, bucket) => bucket);
  const kinds = [LOCK_KINDS.outboxKey, LOCK_KINDS.heldKey];
  const values = [
    `(${name}, ${LOCK_KINDS.outboxClaim}, 0)`,
    ...kinds.flatMap((kind) => buckets.map((bucket) => `(${name}, ${kind}, ${bucket})`)),
  ];
  if (Number(row?.["count"]) < values.length)
    await connection.query(`insert ignore into pr_locks (service, kind, bucket) values ${values.join(", ")}`);
}

async function rowsOf(connection: MysqlConnection, sql: string): Promise<readonly Row[]> {
  const [rows] = await connection.query(sql);
  return rows as readonly Row[];
}
