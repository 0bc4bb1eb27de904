import type { Clock } from "../../base/clock.ts";
import { isPostriderError } from "../../base/errors.ts";
import type { Connection } from "./connection.ts";
import type { Log } from "./log.ts";
import { logTable } from "./schema.ts";
import { finishedUpTo } from "./topology.ts";
import { write } from "./write-job.ts";
import type { Writer } from "./writer.ts";

/** How long a log keeps what everybody has read. What any known subscription has not read is never cut. */
export interface LogRetention {
  /** In milliseconds. Default 1 hour. */
  readonly ageMs?: number;
  /** Bodies and headers of read messages, in bytes, per destination. Default 16 MiB. */
  readonly bytes?: number;
  /** Read messages, per destination. Default 100 000. */
  readonly messages?: number;
}

// Read messages serve replay and looking back only, while each of them makes the file larger: an hour of a quiet system, or seconds of a busy one.
const DEFAULTS: Required<LogRetention> = { ageMs: 3_600_000, bytes: 16 * 1024 * 1024, messages: 100_000 };

// Deleting a row costs about 2 us: a chunk stays well within a turn.
const CHUNK_ROWS = 256;

/** What a trimmer stands on. */
export interface TrimOptions {
  readonly connection: Connection;
  readonly reader: Connection;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly retention: LogRetention;
  readonly logs: () => Iterable<Log>;
}

/** Where a table begins and how far it may be cut. */
interface Span {
  readonly table: string;
  readonly frontier: number;
}

/** Deletes what every subscription has read and retention no longer keeps: a chunk per turn, so that nobody waits for it. */
export class Trimmer {
  readonly #options: TrimOptions;
  readonly #retention: Required<LogRetention>;
  #isRunning = false;

  constructor(options: TrimOptions) {
    this.#options = options;
    this.#retention = { ...DEFAULTS, ...options.retention };
  }

  /** Cuts until nothing is left to cut. Does nothing while it is at it. */
  async run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      for (const log of this.#options.logs()) {
        for (const isHigh of [false, true]) await this.#trim(log, isHigh);
      }
    } catch (error) {
      if (!isPostriderError(error)) throw error; // a full or closed file: the next run finds the rows again
    } finally {
      this.#isRunning = false;
    }
  }

  async #trim(log: Log, isHigh: boolean): Promise<void> {
    const { reader, connection, writer } = this.#options;
    for (;;) {
      const frontier = this.#frontier(log, isHigh);
      if (frontier === undefined) return;
      const span = { table: logTable(log.id, isHigh), frontier };
      const cut = this.#cutOf(reader, span);
      if (cut === 0) return;
      // Cursors only move on, so what may be cut now may be cut then.
      await write(writer, () => connection.run(`delete from ${span.table} where position <= ?`, cut), { isVolatile: true });
    }
  }

  /** Everybody has finished everything up to here; undefined where nobody is known and so nothing is read. */
  #frontier(log: Log, isHigh: boolean): number | undefined {
    const [position, open] = isHigh ? ["high_position", "high_open"] : ["position", "open"];
    const rows = this.#options.reader.all<{ position: number; open: string | null }>(
      `select ${position} as position, ${open} as open from pr_cursors where destination = ?`,
      log.id,
    );
    if (rows.length === 0) return log.destination.kind === "events" ? Infinity : undefined; // an event that nobody subscribes to is read by all
    return Math.min(...rows.map(finishedUpTo));
  }

  /** The last position of the next chunk to go; 0 for none. The newest row always stays: positions go on from it. */
  #cutOf(reader: Connection, { table, frontier }: Span): number {
    const limit = Number.isFinite(frontier) ? frontier : Number.MAX_SAFE_INTEGER;
    const newest = reader.get<RowFacts>(`select ${FACTS} from ${table} where position <= ? order by position desc limit 1`, limit);
    if (newest === undefined) return 0;
    const last = reader.get<{ position: number }>(`select position from ${table} order by position desc limit 1`)!.position;
    const oldBefore = this.#options.clock.now() - this.#retention.ageMs;
    const goes = (row: RowFacts): boolean =>
      row.position !== last &&
      (row.storedAt < oldBefore ||
        newest.ordinal - row.ordinal >= this.#retention.messages ||
        newest.totalBytes - row.totalBytes > this.#retention.bytes);
    const oldest = `select ${FACTS} from ${table} where position <= ? order by position limit`;
    // Mostly a whole chunk goes: then its last row is all that is looked at.
    const end = reader.get<RowFacts>(`${oldest} 1 offset ${CHUNK_ROWS - 1}`, limit);
    if (end !== undefined && goes(end)) return end.position;
    const chunk = reader.all<RowFacts>(`${oldest} ${CHUNK_ROWS}`, limit);
    const kept = chunk.findIndex((row) => !goes(row));
    return kept === -1 ? (chunk.at(-1)?.position ?? 0) : (chunk[kept - 1]?.position ?? 0);
  }
}

const FACTS = "position, ordinal, total_bytes as totalBytes, stored_at as storedAt";

interface RowFacts {
  readonly position: number;
  readonly ordinal: number;
  readonly totalBytes: number;
  readonly storedAt: number;
}
