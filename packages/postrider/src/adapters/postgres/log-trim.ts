import type { LogPlace } from "./log-place.ts";
import { readDestinations } from "./log-destinations.ts";
import type { KnownDestination } from "./log-destinations.ts";

/** How long a log keeps what everybody has read. What any known subscription has not read is never cut. */
export interface PostgresLogRetention {
  /** In milliseconds. Default 1 day. */
  readonly ageMs?: number;
  /** Envelopes, headers and bodies of read messages, in bytes, per destination; taken from the average of the newest thousand. Default 1 GiB. */
  readonly bytes?: number;
  /** Read messages, per destination. Default 1 000 000. */
  readonly messages?: number;
}

const DEFAULTS: Required<PostgresLogRetention> = { ageMs: 86_400_000, bytes: 1024 * 1024 * 1024, messages: 1_000_000 };

const BATCH_ROWS = 2000;
const MAX_BATCHES = 50;
const SENDER_KEPT_MS = 86_400_000;

/** Deletes what every subscription has read and retention no longer keeps: a bounded batch at a time, by one process at a time. */
export class LogTrimmer {
  readonly #log: LogPlace;
  readonly #retention: Required<PostgresLogRetention>;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(log: LogPlace, retention: PostgresLogRetention) {
    this.#log = log;
    this.#retention = { ...DEFAULTS, ...retention };
  }

  /** Cuts until there is nothing left to cut. Does nothing while it is at it. Never rejects: the next run finds the rows again. */
  run(): Promise<void> {
    this.#running ??= this.#trimAll()
      .catch(() => undefined)
      .finally(() => (this.#running = undefined));
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #trimAll(): Promise<void> {
    const log = this.#log;
    for (const destination of await readDestinations(log.connections, log.schema, undefined)) {
      for (let batch = 0; batch < MAX_BATCHES && !this.#isStopped; batch++) if ((await this.#trim(destination)) < BATCH_ROWS) break;
    }
    const old = `delete from ${log.schema}.pr_senders where at < ${log.schema}.pr_now() - ${SENDER_KEPT_MS}`;
    if (!this.#isStopped) await log.connections.query({ text: old });
  }

  /** One batch. Returns how many rows went. */
  async #trim({ id, kind }: KnownDestination): Promise<number> {
    const { schema } = this.#log;
    const { ageMs, bytes, messages } = this.#retention;
    // An event that nobody subscribes to is read by all; a command without a reader waits for one.
    const unread = kind === "events" ? "9223372036854775807" : "0";
    const text = `select ${schema}.pr_trim_log($1, $2, $3, $4, $5, ${BATCH_ROWS}) as gone`;
    const { rows } = await this.#log.run("trim", text, [id, ageMs, messages, bytes, unread]);
    return rows[0]!["gone"] as number;
  }
}
