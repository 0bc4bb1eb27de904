import { systemClock } from "../base/clock.ts";
import type { Clock } from "../base/clock.ts";
import { fail } from "../base/errors.ts";
import { uuidv7Ids } from "../base/ids.ts";
import type { Ids } from "../base/ids.ts";
import { systemRandom } from "../base/random.ts";
import type { Random } from "../base/random.ts";
import { strangeOptions } from "../base/strange-options.ts";
import { openSqliteFile } from "../adapters/sqlite/sqlite-file.ts";
import type { LogRetention } from "../adapters/sqlite/trim.ts";
import type { Infrastructure } from "../bus/api.ts";
import type { Logger } from "../ports/logger.ts";
import { jsonLogger } from "../telemetry/json-logger.ts";

/** What {@link sqlite} takes besides the file. */
export interface SqliteOptions {
  /** How long a process that has died keeps its lanes, in milliseconds. Default 4000, at least 200. */
  readonly leaseMs?: number;
  /** What the write-ahead log may grow to before it is started afresh, in bytes. Default 64 MiB. */
  readonly walLimitBytes?: number;
  /** How long read messages are kept for replay. Default an hour, 16 MiB or 100 000 messages per destination, whichever ends first. */
  readonly retention?: LogRetention;
  /** The largest body in bytes. Default 64 MiB: one body is written, checksummed and read within one turn of the event loop. */
  readonly maxBodyBytes?: number;
  /** Answers before the disk has it: faster, and a power cut loses what was acknowledged last (never the file). Default false. */
  readonly unsafeNoSync?: boolean;
  /** Default: JSON lines on stderr, from `warn` on. */
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly ids?: Ids;
}

const DEFAULT_LEASE_MS = 4000;
const MIN_LEASE_MS = 200;
const DEFAULT_WAL_LIMIT_BYTES = 64 * 1024 * 1024;
const DEFAULT_MAX_BODY_BYTES = 64 * 1024 * 1024;

/**
 * Runs an app on one SQLite file: transport, stores and the services' own tables together, in any number of processes of one machine.
 *
 * Delivery: effectively once by position, because a message is settled in the transaction of its effects; by message id where the same one may be sent again.
 * Order: per key. Durability: what was acknowledged survives the process and a power cut. The file is opened by the first part that is used, and closed with the last.
 * @source docs/adr/0010-sqlite-layout.md
 */
export function sqlite(file: string, options: SqliteOptions = {}): Infrastructure {
  const mistakes = [...fileMistakes(file), ...strangeOptions("sqlite", options, SQLITE_OPTIONS)];
  if (mistakes.length > 0) throw fail("PR_CONFIG_INVALID", { mistakes: mistakes.join("; ") });
  const clock = options.clock ?? systemClock;
  const opened = openSqliteFile({
    file,
    clock,
    random: options.random ?? systemRandom,
    ids: options.ids ?? uuidv7Ids(clock),
    logger: options.logger ?? jsonLogger({ level: "warn", write: (line) => void process.stderr.write(line), clock }),
    unsafeNoSync: options.unsafeNoSync ?? false,
    leaseMs: Math.max(MIN_LEASE_MS, options.leaseMs ?? DEFAULT_LEASE_MS),
    walLimitBytes: options.walLimitBytes ?? DEFAULT_WAL_LIMIT_BYTES,
    retention: options.retention ?? {},
    maxBodyBytes: options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES,
  });
  const transport = opened.transport();
  return { commands: transport, events: transport, store: (service) => opened.store(service) };
}

const SQLITE_OPTIONS: Readonly<Record<keyof SqliteOptions, true>> = {
  leaseMs: true,
  walLimitBytes: true,
  retention: true,
  maxBodyBytes: true,
  unsafeNoSync: true,
  logger: true,
  clock: true,
  random: true,
  ids: true,
};

function fileMistakes(file: unknown): string[] {
  if (typeof file !== "string" || file === "") return ['sqlite takes the path of its file: sqlite("shop.db")'];
  if (file === ":memory:") return ['sqlite needs a file, which several connections share; for memory use memory() from "postrider/memory"'];
  return file.startsWith("file:") ? [`sqlite takes a path, not the URL ${file}`] : [];
}
