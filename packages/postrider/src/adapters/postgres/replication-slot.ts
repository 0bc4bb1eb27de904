import { fail } from "../../base/errors.ts";
import { lockOf } from "./locks.ts";
import { quoted } from "./names.ts";
import { lsnOf } from "./outbox-leader.ts";
import { statement } from "./statement.ts";
import type { Run } from "./statement.ts";

/** Where the slot of one service's outbox is. */
export interface ReplicationSlotOptions {
  readonly run: Run;
  readonly service: string;
  /** The schema, as it is. */
  readonly schema: string;
  /** Whether a missing publication is made. */
  readonly migrates: boolean;
}

/** A slot that is ready to be read. */
export interface ReadySlot {
  readonly slot: string;
  readonly publication: string;
  readonly isBinary: boolean;
  /** Where it begins. */
  readonly from: bigint;
  /** What broke the slot's continuity: rows may be missing in what it sends. Undefined when it goes on where it was. */
  readonly break: string | undefined;
}

/** How a slot stands. */
export interface SlotLag {
  readonly slot: string;
  /** What the server keeps of the write-ahead log for it, in bytes; undefined when there is no slot. */
  readonly keptBytes: number | undefined;
  /** What it still has to send or to have confirmed, in bytes. */
  readonly lagBytes: number | undefined;
  /** `reserved`, `extended`, `unreserved` or `lost`: see pg_replication_slots. */
  readonly walStatus: string | undefined;
}

const SERVER = statement(
  `select current_database() as database, current_setting('wal_level') as wal_level, current_setting('server_version_num')::integer as version,
   (select r.rolreplication or r.rolsuper from pg_roles r where r.rolname = current_user) as may_replicate`,
);
const FIND = statement(
  `select plugin, database, active_pid, wal_status, restart_lsn::text as restart_lsn, confirmed_flush_lsn::text as confirmed_lsn,
   (pg_current_wal_lsn() - restart_lsn)::bigint as kept, (pg_current_wal_lsn() - confirmed_flush_lsn)::bigint as lag from pg_replication_slots where slot_name = $1`,
);
const CREATE = statement("select pg_create_logical_replication_slot($1, 'pgoutput')");
const DROP = statement("select pg_drop_replication_slot($1)");
const PUBLISHED = statement("select 1 from pg_publication_tables where pubname = $1 and schemaname = $2 and tablename = 'pr_outbox'");
const BINARY_FROM = 140000;
const OLDEST = 130000;

/** The publication that a schema's outbox is read through. */
export function publicationOf(schema: string): string {
  return `postrider_${schema}`.slice(0, 63);
}

/** The statement that makes it, for who may not be given the right to. */
export function publicationSql(schema: string): string {
  return `create publication ${quoted(publicationOf(schema))} for table ${quoted(schema)}.pr_outbox with (publish = 'insert')`;
}

/** The slot of one service's outbox: made, examined, and replaced when it is of no use any more. */
export class ReplicationSlot {
  readonly #options: ReplicationSlotOptions;

  constructor(options: ReplicationSlotOptions) {
    this.#options = options;
  }

  /**
   * Makes it ready to be read.
   *
   * `told` is how far the server was last told that it need not keep the log: a slot beyond that is another one than it was.
   * @throws PR_OUTBOX_REPLICATION with what is in the way
   */
  async ready(told: bigint | undefined): Promise<ReadySlot> {
    const { run, schema } = this.#options;
    const [server] = (await run(SERVER)).rows;
    if (server!["wal_level"] !== "logical")
      throw this.#trouble(`the server's wal_level is ${server!["wal_level"] as string}; set it to logical and restart the server`);
    if (server!["may_replicate"] !== true) throw this.#trouble("the user has not the attribute replication: alter role … replication");
    if (Number(server!["version"]) < OLDEST) throw this.#trouble("the server is older than PostgreSQL 13");
    await this.#publish();
    const slot = this.nameIn(server!["database"] as string);
    const gap = await this.#examine(slot, told);
    const [found] = (await run(FIND, slot)).rows;
    const from = lsnOf(found!["confirmed_lsn"] as string);
    return { slot, publication: publicationOf(schema), isBinary: Number(server!["version"]) >= BINARY_FROM, from, break: gap };
  }

  /** How it stands. */
  async lag(): Promise<SlotLag> {
    const { run } = this.#options;
    const slot = this.nameIn((await run(SERVER)).rows[0]!["database"] as string);
    const [row] = (await run(FIND, slot)).rows;
    const bytes = (name: string): number | undefined => (row === undefined || row[name] === null ? undefined : Number(row[name]));
    return { slot, keptBytes: bytes("kept"), lagBytes: bytes("lag"), walStatus: (row?.["wal_status"] as string | null) ?? undefined };
  }

  /** Slots are the server's, not a database's. */
  nameIn(database: string): string {
    const { schema, service } = this.#options;
    return `postrider_${lockOf(database, schema).toString(16)}_${lockOf("outbox", service).toString(16)}`;
  }

  async #examine(slot: string, told: bigint | undefined): Promise<string | undefined> {
    const { run } = this.#options;
    const [row] = (await run(FIND, slot)).rows;
    if (row === undefined) {
      await run(CREATE, slot);
      return told === undefined ? undefined : `the slot ${slot} was dropped; it was made anew`;
    }
    if (row["plugin"] !== "pgoutput") throw this.#trouble(`there is a slot ${slot} for another plug-in: drop it`);
    if (row["active_pid"] !== null)
      throw this.#trouble(`the slot ${slot} is still read by the server's process ${row["active_pid"] as number}`);
    if (row["wal_status"] === "lost" || row["restart_lsn"] === null) {
      await run(DROP, slot);
      await run(CREATE, slot);
      return `the server has removed what the slot ${slot} had not read (max_slot_wal_keep_size); it was made anew`;
    }
    const confirmed = lsnOf(row["confirmed_lsn"] as string);
    return told !== undefined && confirmed > told ? `the slot ${slot} was moved or made anew by somebody else` : undefined;
  }

  async #publish(): Promise<void> {
    const { run, schema, migrates } = this.#options;
    if (await this.#isPublished()) return;
    if (!migrates) throw this.#trouble(`there is no publication of the outbox; run: ${publicationSql(schema)}`);
    try {
      await run({ text: publicationSql(schema), name: "" });
    } catch (error) {
      if (!(await this.#isPublished())) throw error; // else another service of the schema was quicker
    }
  }

  async #isPublished(): Promise<boolean> {
    const { run, schema } = this.#options;
    return (await run(PUBLISHED, publicationOf(schema), schema)).rows.length > 0;
  }

  #trouble(detail: string): Error {
    return fail("PR_OUTBOX_REPLICATION", { service: this.#options.service, detail });
  }
}
