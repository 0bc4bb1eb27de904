import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import type { Ids } from "../../base/ids.ts";
import type { Random } from "../../base/random.ts";
import { Checkpointer } from "./checkpoint.ts";
import { openReader, openWriter, setUpWriter } from "./connection.ts";
import type { Connection } from "./connection.ts";
import { openingError, preparePlace } from "./file-place.ts";
import { FileWatch } from "./file-watch.ts";
import { LaneKeeper } from "./lane-keeper.ts";
import { Logs } from "./logs.ts";
import type { FileParts } from "./parts.ts";
import { Replies } from "./replies.ts";
import { migrate } from "./schema.ts";
import { SpaceWatch } from "./space-watch.ts";
import { Trimmer } from "./trim.ts";
import type { LogRetention } from "./trim.ts";
import type { Turn } from "./turn.ts";
import { isBusy } from "./vendor-error.ts";
import { WalSync } from "./wal-sync.ts";
import { Writer } from "./writer.ts";

/** What a file's parts are made with. */
export interface OpenOptions {
  readonly file: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly unsafeNoSync: boolean;
  readonly leaseMs: number;
  readonly walLimitBytes: number;
  readonly retention: LogRetention;
  readonly maxBodyBytes: number;
}

/** Who hears of what happens in a file by itself. */
export interface OpenListeners {
  /** Nothing can be written any more. */
  readonly onFatal: (error: PostriderError) => void;
  /** Something failed that is tried again. */
  readonly onError: (error: PostriderError) => void;
  /** Whether there is room for what is written: the error when there is none, undefined when there is again. */
  readonly onSpace: (error: PostriderError | undefined) => void;
  /** Another process has written. */
  readonly onForeignChange: () => void;
}

// Another process may be making the file at the same moment, or may have been stopped in the middle of a turn: a machine that pauses it for a while
// (a container frozen for 12 s, say) pauses whoever wants the lock as well.
const BUSY_RETRY_MS = 5;
const BUSY_GIVE_UP_MS = 60_000;

/** Opens a file, making its folder, and puts its parts together. @throws PR_STORE_PATH, PR_STORE_CORRUPT, PR_STORE_VERSION, PR_STORE_FULL, PR_STORE_FAILED */
export async function openParts(options: OpenOptions, listeners: OpenListeners): Promise<FileParts> {
  const opened: Connection[] = [];
  await preparePlace(options.file);
  try {
    const connection = openWriter(options.file);
    opened.push(connection);
    await whileBusy(options, () => setUpWriter(connection));
    await whileBusy(options, () => migrate(connection, options.file));
    const reader = openReader(options.file);
    opened.push(reader);
    const sync: WalSync | undefined = options.unsafeNoSync
      ? undefined
      : new WalSync(options.file, { onFatal: listeners.onFatal, onSynced: () => parts.writer.synced() });
    await sync?.open();
    const parts: FileParts = assemble(options, listeners, { connection, reader, sync });
    await parts.watch.look();
    return parts;
  } catch (error) {
    for (const connection of opened) connection.close();
    throw await openingError(error, options.file);
  }
}

interface Opened {
  readonly connection: Connection;
  readonly reader: Connection;
  readonly sync: WalSync | undefined;
}

function assemble(options: OpenOptions, listeners: OpenListeners, { connection, reader, sync }: Opened): FileParts {
  const { file, clock, random, leaseMs } = options;
  const pageBytes = connection.get<{ page_size: number }>("pragma page_size")!.page_size;
  const checkpointer = new Checkpointer({ file, clock, pageBytes, limitBytes: options.walLimitBytes, onError: listeners.onError });
  const writer: Writer = new Writer({
    connection,
    file,
    clock,
    random,
    onCommit: (turn) => settle(turn, sync, checkpointer),
    hasRivals: () => keeper.hasRivals,
    onForeignChange: listeners.onForeignChange,
    onFailed: (error) => space.note(error),
    isSyncing: () => sync?.isRunning === true,
    isHeldUp: () => checkpointer.isRestarting,
  });
  const space: SpaceWatch = new SpaceWatch({ connection, writer, onChange: listeners.onSpace });
  const keeper: LaneKeeper = new LaneKeeper({
    connection,
    writer,
    clock,
    leaseMs,
    instance: options.ids.next(),
    onError: listeners.onError,
  });
  const replies = new Replies({ connection, reader, writer, sync, clock });
  const logs = new Logs({ connection, reader, writer, clock, replies, maxBodyBytes: options.maxBodyBytes });
  const trimmer = new Trimmer({ connection, reader, writer, clock, retention: options.retention, logs: () => logs.open });
  const watch = new FileWatch(file, listeners.onFatal);
  keeper.renewSoon();
  return { connection, reader, writer, sync, checkpointer, logs, replies, keeper, trimmer, watch, space };
}

function settle(turn: Turn, sync: WalSync | undefined, checkpointer: Checkpointer): void {
  checkpointer.note();
  if (sync === undefined || turn.isVolatile) turn.durable();
  else sync.add(turn);
}

/** Tries until the lock is free, without holding the loop. */
async function whileBusy({ clock, random, file }: OpenOptions, step: () => void): Promise<void> {
  const startedMs = clock.monotonicMs();
  for (;;) {
    try {
      return step();
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (clock.monotonicMs() - startedMs > BUSY_GIVE_UP_MS) throw heldByOthers(file, error);
    }
    await clock.sleep(BUSY_RETRY_MS * (1 + random.next()));
  }
}

function heldByOthers(file: string, cause: unknown): PostriderError {
  const seconds = BUSY_GIVE_UP_MS / 1000;
  const detail = `another process has kept the file's write lock for ${seconds} s: is one stopped, or does a shell hold a transaction open?`;
  return fail("PR_STORE_FAILED", { store: file, during: "the opening", detail }, { cause });
}
