import type { Clock } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import type { Logger } from "../../ports/logger.ts";
import { statement } from "./statement.ts";
import type { Run } from "./statement.ts";

/** What a watch stands on. */
export interface OutboxWatchOptions {
  readonly service: string;
  readonly run: Run;
  readonly clock: Clock;
  readonly logger: Logger;
}

const LOOK_EVERY_MS = 10_000;
const QUIET_MS = 60_000;
const OLD_SNAPSHOT = "5 minutes";

const COLUMNS = "a.pid, a.application_name, a.state, a.query_start::text as query_start, a.xact_start::text as xact_start";
const WRITERS = statement(
  `select distinct ${COLUMNS} from pg_locks l join pg_stat_activity a on a.pid = l.pid where l.virtualtransaction = any ($1::text[]) limit 1`,
);
// Whoever has an old snapshot, in this database: dead rows of its time stay.
const SNAPSHOTS = statement(
  `select ${COLUMNS} from pg_stat_activity a where a.datname = current_database() and a.backend_xmin is not null and a.pid <> pg_backend_pid()
   and a.xact_start < clock_timestamp() - interval '${OLD_SNAPSHOT}' order by a.xact_start limit 1`,
);

/** Names the session that keeps an outbox from forgetting what is done: one that has written to it and does not end, or one with an old snapshot. */
export class OutboxWatch {
  readonly #options: OutboxWatchOptions;
  #lookedMs = -Infinity;
  #quietUntilMs = -Infinity;
  #before: ReadonlySet<string> = new Set();
  #isLooking = false;

  constructor(options: OutboxWatchOptions) {
    this.#options = options;
  }

  /** Looks now and then. Never rejects, and nobody waits for it. */
  look(writers: () => ReadonlySet<string>): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#isLooking || nowMs < this.#lookedMs + LOOK_EVERY_MS) return;
    this.#lookedMs = nowMs;
    this.#isLooking = true;
    void this.#look(writers()).then(
      () => (this.#isLooking = false),
      () => (this.#isLooking = false),
    );
  }

  async #look(writers: ReadonlySet<string>): Promise<void> {
    const { run } = this.#options;
    const stuck = [...writers].filter((writer) => this.#before.has(writer));
    this.#before = writers;
    const [writer] = stuck.length === 0 ? [] : (await run(WRITERS, stuck)).rows;
    if (writer !== undefined)
      return this.#tell(writer, "has written to it and has not ended its transaction, so rows may still appear among those that are done");
    const [reader] = (await run(SNAPSHOTS)).rows;
    if (reader !== undefined) this.#tell(reader, "keeps an old snapshot, so rows that are done are not vacuumed");
  }

  #tell(row: Readonly<Record<string, unknown>>, what: string): void {
    const { service, clock, logger } = this.#options;
    if (clock.monotonicMs() < this.#quietUntilMs) return;
    this.#quietUntilMs = clock.monotonicMs() + QUIET_MS;
    const pid = row["pid"] as number;
    const [application, state, queryStart, since] = ["application_name", "state", "query_start", "xact_start"].map(
      (name) => (row[name] as string | null) || "unknown",
    );
    const detail = `the server's process ${pid} (application ${application}, ${state}, in its transaction since ${since}, its last statement from ${queryStart}) ${what}`;
    const err = fail("PR_OUTBOX_STALLED", { service, detail });
    logger.warn({ err, service, pid, application, state, queryStart, transactionStart: since }, err.message);
  }
}
