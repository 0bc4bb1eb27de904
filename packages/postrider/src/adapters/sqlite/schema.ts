import { fail } from "../../base/errors.ts";
import type { Connection } from "./connection.ts";

/**
 * The steps that made the tables what they are, in order. A released step never changes: add one behind it.
 *
 * Names begin with `pr_`, because users' own tables live in the same file.
 */
const STEPS: readonly string[] = [
  `create table pr_destinations (id integer primary key, name text not null unique, kind text not null, lanes integer not null);
   create table pr_cursors (id integer primary key, service text not null, destination integer not null, lane integer not null,
     epoch integer not null default 0, owner text, lease_until integer not null default 0,
     position integer not null, open text, high_position integer not null, high_open text, unique (service, destination, lane));
   create table pr_members (id text not null primary key, service text not null, destination integer not null, alive_until integer not null) without rowid;
   create table pr_instances (id text not null primary key, alive_until integer not null) without rowid;
   create table pr_replies (sequence integer primary key autoincrement, address text not null, head text, headers text, body, expires_at integer not null);
   create index pr_replies_address on pr_replies (address, sequence);
   create table pr_inbox (service text not null, handler text not null, message_id text not null, body_hash text not null, at integer not null,
     primary key (service, handler, message_id)) without rowid;
   create index pr_inbox_at on pr_inbox (service, at);
   create table pr_outbox (sequence integer primary key autoincrement, service text not null, id text not null, aggregatetype text not null,
     aggregateid text not null, type text not null, payload, destination text not null, may_repeat integer not null, head text, headers text,
     attempts integer not null default 0, not_before integer not null default 0, fence integer not null default 0, claimed_until integer not null default 0, owner text);
   create index pr_outbox_key on pr_outbox (service, aggregateid, sequence);
   create table pr_schedule (service text not null, id text not null, due_at integer not null, cron text, timezone text,
     destination text not null, may_repeat integer not null, head text, headers text, body, primary key (service, id)) without rowid;
   create index pr_schedule_due on pr_schedule (service, due_at);
   create table pr_held (sequence integer primary key autoincrement, service text not null, id text not null, purpose text not null, due_at integer,
     destination text not null, lane integer not null, key text, is_ordered integer not null, head text, headers text, body,
     failures integer not null, first_failed_at integer, dead_letter_id text, redrives integer not null,
     fence integer not null default 0, claimed_until integer not null default 0, unique (service, id));
   create index pr_held_due on pr_held (service, due_at);
   create index pr_held_place on pr_held (service, destination, due_at);
   create index pr_held_key on pr_held (service, destination, key, sequence);
   create table pr_taken (service text not null, destination text not null, lane integer not null, position integer not null,
     primary key (service, destination, lane)) without rowid;
   create table pr_starts (service text not null, message_id text not null, count integer not null, at integer not null, primary key (service, message_id)) without rowid;
   create table pr_dead_letters (service text not null, id text not null, list text not null, contract text not null, message_id text not null,
     destination text not null, lane integer not null, key text, is_ordered integer not null, head text, headers text, body,
     code text not null, reason text not null, stack text, fingerprint text not null, attempts integer not null, at integer not null, redrives integer not null,
     primary key (service, id)) without rowid;
   create index pr_dead_letters_key on pr_dead_letters (service, destination, key);
   create index pr_dead_letters_message on pr_dead_letters (service, message_id);
   create index pr_dead_letters_at on pr_dead_letters (service, list, at);
   create table pr_effects (service text not null, key text not null, result text, is_done integer not null, at integer not null, primary key (service, key)) without rowid;
   create index pr_effects_at on pr_effects (service, at);
   create table pr_leases (service text not null, name text not null, owner text, fence integer not null, lease_until integer not null, primary key (service, name)) without rowid;
   create table pr_progress (service text not null, message_id text not null, percent real not null, note text, at integer not null, primary key (service, message_id)) without rowid;
   create index pr_progress_at on pr_progress (service, at);`,
  `alter table pr_outbox add column is_event integer generated always as (substr(destination, -7) = '.events') virtual;
   create index pr_outbox_kind on pr_outbox (service, is_event, sequence);`,
];

/** The schema that this release writes. */
const SCHEMA_VERSION: number = STEPS.length;

/**
 * Brings a file's tables up to date, in one transaction.
 *
 * Safe with several processes at once (the write lock is taken first, then the version is read) and with a crash anywhere (nothing, or all).
 * @throws PR_STORE_VERSION when a newer release has written the file; the vendor's error when the lock is taken
 */
export function migrate(connection: Connection, file: string): void {
  const { db } = connection;
  db.exec("begin immediate");
  try {
    db.exec("create table if not exists pr_meta (key text not null primary key, value) without rowid");
    const found = Number(connection.get<{ value: number }>("select value from pr_meta where key = 'schema_version'")?.value ?? 0);
    if (found > SCHEMA_VERSION) throw fail("PR_STORE_VERSION", { file, found, known: SCHEMA_VERSION });
    for (const step of STEPS.slice(found)) db.exec(step);
    if (found < SCHEMA_VERSION)
      connection.run(
        "insert into pr_meta (key, value) values ('schema_version', ?) on conflict do update set value = excluded.value",
        SCHEMA_VERSION,
      );
    db.exec("commit");
  } catch (error) {
    if (db.isTransaction) db.exec("rollback");
    throw error;
  }
}

/**
 * The tables of one destination: its log and its log of high priority, with one sequence of positions.
 *
 * Positions are never used twice, because the newest row of a table is never deleted. `ordinal` and `total_bytes` count on from row to row,
 * so that the number and size of the rows between any two are known without reading them, and no other page changes with a send.
 */
export function createLogTables(connection: Connection, id: number): void {
  for (const table of [logTable(id, false), logTable(id, true)]) {
    // What a scan filters by comes first in the row, so that it need not read through bodies.
    connection.db.exec(`create table if not exists ${table} (position integer primary key, lane integer not null, type text not null,
      bytes integer not null, stored_at integer not null, ordinal integer not null, total_bytes integer not null, may_repeat integer not null,
      head text, headers text, body)`);
  }
}

/** The name of a log's table. */
export function logTable(id: number, isHigh: boolean): string {
  return isHigh ? `pr_log_${id}_high` : `pr_log_${id}`;
}
