import { fail } from "../../base/errors.ts";
import type { PgQueryable } from "./connection.ts";
import { literal, quoted } from "./names.ts";

/** What a part's tables were made by, in order: a released step never changes, a new one comes behind it. `{schema}` is filled in. */
export type MigrationSteps = readonly string[];

/** Whose tables: each part has its own numbers. */
export interface MigrationPart {
  /** `store`, `log` … */
  readonly name: string;
  readonly steps: MigrationSteps;
}

/**
 * Brings a part's tables in a schema up to date, in one transaction.
 *
 * Safe with any number of processes at once (a lock of the transaction's is taken first, then the version is read) and with a crash anywhere:
 * nothing, or all. What is up to date needs no right to create anything.
 * @throws PR_STORE_VERSION when a newer release was there; the vendor's error
 */
export async function migrate(client: PgQueryable, schema: string, part: MigrationPart): Promise<void> {
  if ((await versionOf(client, schema, part)) === part.steps.length) return;
  await client.query({ text: "begin isolation level read committed" });
  try {
    // Two keys of four bytes, ours alone as far as chance goes; held until the commit, so that nothing is left behind by a crash.
    await client.query({ text: `select pg_advisory_xact_lock(${LOCK_CLASS}, hashtext(${literal(schema)}))` });
    const found = await versionOf(client, schema, part);
    // Asked for first: "if not exists" needs the right to create a schema even where there is one.
    if (!(await hasSchema(client, schema))) await client.query({ text: createSchema(schema) });
    for (const text of statementsFrom(schema, part, found)) await client.query({ text });
    await client.query({ text: "commit" });
  } catch (error) {
    await client.query({ text: "rollback" }).catch(() => undefined); // the first error says more
    throw error;
  }
}

/** Whether a part's tables are up to date, for who may not make them. @throws PR_CONFIG_INVALID, PR_STORE_VERSION */
export async function assertMigrated(client: PgQueryable, schema: string, part: MigrationPart): Promise<void> {
  const found = await versionOf(client, schema, part);
  if (found === part.steps.length) return;
  const mistakes = `the tables of ${part.name} in the PostgreSQL schema ${schema} are at version ${found}, and this release needs ${part.steps.length}: run its migrations first`;
  throw fail("PR_CONFIG_INVALID", { mistakes });
}

/** All that {@link migrate} would run on an empty database, as text: for who runs the application without the right to create tables. */
export function migrationSql(schema: string, part: MigrationPart): string {
  const statements = ["begin", createSchema(schema), ...statementsFrom(schema, part, 0), "commit"];
  return statements.map((statement) => `${statement.trim().replace(/;$/, "")};\n`).join("");
}

const LOCK_CLASS = 0x706f7374; // "post"

async function versionOf(client: PgQueryable, schema: string, part: MigrationPart): Promise<number> {
  // Asked for in the catalogue: a statement that fails would abort the transaction that we may be in, and `to_regclass` may still answer from
  // before our wait for the lock, because a lock of this kind does not make the server look at what others have changed meanwhile.
  const isThere = `select 1 from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = ${literal(schema)} and c.relname = 'postrider_migrations'`;
  if ((await client.query({ text: isThere })).rows.length === 0) return 0;
  const table = `${quoted(schema)}.postrider_migrations`;
  const { rows } = await client.query({
    text: `select coalesce(max(version), 0) as version from ${table} where part = ${literal(part.name)}`,
  });
  const found = Number(rows[0]?.["version"] ?? 0);
  if (found > part.steps.length)
    throw fail("PR_STORE_VERSION", { file: `The schema ${schema} (${part.name})`, found, known: part.steps.length });
  return found;
}

const createSchema = (schema: string): string => `create schema if not exists ${quoted(schema)}`;

async function hasSchema(client: PgQueryable, schema: string): Promise<boolean> {
  const { rows } = await client.query({ text: `select 1 from pg_catalog.pg_namespace where nspname = ${literal(schema)}` });
  return rows.length > 0;
}

function statementsFrom(schema: string, part: MigrationPart, found: number): readonly string[] {
  const place = quoted(schema);
  const steps = part.steps.slice(found).flatMap((step, at) => [
    // Within a text, as an argument of nextval() or hashtext(), an apostrophe of the name's own is doubled.
    step.replaceAll(/'?\{schema\}/g, (found) => (found.startsWith("'") ? `'${place.replaceAll("'", "''")}` : place)),
    `insert into ${place}.postrider_migrations (part, version) values (${literal(part.name)}, ${found + at + 1})`,
  ]);
  return [
    `create table if not exists ${place}.postrider_migrations (part text not null, version integer not null, at timestamptz not null default clock_timestamp(), primary key (part, version))`,
    ...steps,
  ];
}
