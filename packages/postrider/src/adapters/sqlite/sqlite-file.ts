import { resolve } from "node:path";
import type { Clock } from "../../base/clock.ts";
import type { MaybePromise } from "../../base/deferred.ts";
import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Ids } from "../../base/ids.ts";
import type { Random } from "../../base/random.ts";
import type { Logger } from "../../ports/logger.ts";
import type { Store } from "../../ports/store.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import type { Transport } from "../../ports/transport.ts";
import { openParts } from "./open.ts";
import type { FileParts } from "./parts.ts";
import type { StoreAccess } from "./place.ts";
import { Pulse } from "./pulse.ts";
import { SessionJob } from "./session-job.ts";
import type { SessionHost } from "./session-job.ts";
import { SqliteStore } from "./store.ts";
import type { StoreHost } from "./store.ts";
import type { SqliteTransaction } from "./transaction.ts";
import { SqliteTransport } from "./transport.ts";
import type { TransportHost } from "./transport.ts";
import type { LogRetention } from "./trim.ts";
import type { Turn } from "./turn.ts";
import { write } from "./write-job.ts";

/** What a SQLite file is opened with. */
export interface SqliteFileOptions {
  /** A path. Its folder is made. The -wal and -shm files beside it belong to it. */
  readonly file: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly logger: Logger;
  /** Resolves with the commit instead of with the disk: a power cut loses what was acknowledged last. */
  readonly unsafeNoSync: boolean;
  /** How long a process that has died keeps its lanes, in milliseconds. */
  readonly leaseMs: number;
  /** What the write-ahead log may grow to before it is started afresh, in bytes. */
  readonly walLimitBytes: number;
  readonly retention: LogRetention;
  /** The largest body in bytes. */
  readonly maxBodyBytes: number;
}

const STUCK_MS = 1000;

/**
 * Transport and stores over one SQLite file: one connection writes, one reads, a thread checkpoints, the disk is synced off the main thread.
 *
 * States: *closed* (nobody has opened a part of it, or the last one has closed) and *open*; in between, callers wait.
 */
export class SqliteFile implements StoreHost, TransportHost, SessionHost {
  readonly durability: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly leaseMs: number;
  readonly maxBodyBytes: number;
  readonly #options: SqliteFileOptions;
  readonly #users = new Set<object>();
  readonly #stores = new WeakSet<object>();
  readonly #outboxListeners = new Map<string, Set<() => void>>();
  #parts: FileParts | undefined;
  #pulse: Pulse | undefined;
  #changing: Promise<void> = Promise.resolve();
  #reportedHeld = false;

  constructor(options: SqliteFileOptions) {
    this.#options = { ...options, file: resolve(options.file) };
    this.clock = options.clock;
    this.ids = options.ids;
    this.leaseMs = options.leaseMs;
    this.maxBodyBytes = options.maxBodyBytes;
    this.durability = options.unsafeNoSync
      ? "the end of the process; the last commits may be lost in a power cut"
      : "the end of the process and a power cut";
  }

  get file(): string {
    return this.#options.file;
  }

  get trouble(): string | undefined {
    return (this.#parts?.writer.stopped ?? this.#parts?.space.trouble)?.message;
  }

  transport(): Transport {
    return new SqliteTransport(this);
  }

  store(service: string): Store {
    const store = new SqliteStore(this, service);
    this.#stores.add(store);
    return store;
  }

  sharesFileOf(store: unknown): boolean {
    return typeof store === "object" && store !== null && this.#stores.has(store);
  }

  get isOpen(): boolean {
    return this.#parts !== undefined;
  }

  parts(during: string): FileParts {
    if (this.#parts === undefined) throw fail("PR_TRANSPORT_CLOSED", { transport: "sqlite", during });
    return this.#parts;
  }

  access(service: string): StoreAccess {
    const { connection, reader, writer } = this.parts("a store's opening");
    return {
      service,
      file: this.#options.file,
      clock: this.clock,
      connection,
      reader,
      write: (work, options) => write(writer, work, { isVolatile: options?.isVolatile ?? false }),
    };
  }

  transact<Result>(service: string, work: (transaction: SqliteTransaction) => MaybePromise<Result>, isAwaited: boolean): Promise<Result> {
    const { connection, writer } = this.parts("transaction");
    const job = new SessionJob({ service, file: this.#options.file, clock: this.clock, connection }, this, work, isAwaited);
    writer.enqueue(job);
    return job.promise;
  }

  outboxListeners(service: string): Set<() => void> {
    const known = this.#outboxListeners.get(service) ?? new Set();
    this.#outboxListeners.set(service, known);
    return known;
  }

  appendAll(turn: Turn, batch: readonly Outgoing[]): void {
    this.#parts!.logs.appendAll(turn, batch);
  }

  outboxAppended(service: string): void {
    for (const listener of this.outboxListeners(service)) listener();
  }

  failed(error: unknown): void {
    this.#parts?.space.note(error);
  }

  held(service: string, heldMs: number): void {
    const error = fail("PR_TRANSACTION_HELD", { handler: service, heldMs: Math.round(heldMs) });
    this.#options.logger.warn({ service, heldMs, code: error.code }, error.message);
  }

  /** Opens the file for a user of it; the first one does the work. */
  enter(user: object): Promise<void> {
    this.#users.add(user);
    return this.#change(() => (this.#parts === undefined && this.#users.has(user) ? this.#open() : Promise.resolve()));
  }

  /** Closes the file when the last user leaves. */
  leave(user: object): Promise<void> {
    this.#users.delete(user);
    return this.#change(() => (this.#parts !== undefined && this.#users.size === 0 ? this.#close(this.#parts) : Promise.resolve()));
  }

  /** Opening and closing one after another. */
  #change(step: () => Promise<void>): Promise<void> {
    const changed = this.#changing.then(step);
    this.#changing = changed.catch(() => undefined); // the caller hears of it
    return changed;
  }

  async #open(): Promise<void> {
    const parts = await openParts(this.#options, {
      onFatal: (error) => this.#failed(error),
      onError: (error) => this.#options.logger.error({ file: this.#options.file, code: error.code }, error.message),
      onSpace: (error) => this.#spaceChanged(error),
      onForeignChange: () => this.#foreignChange(),
    });
    this.#parts = parts;
    this.#pulse = new Pulse({
      clock: this.clock,
      leaseMs: this.leaseMs,
      parts,
      onBeat: (heldMs, holder) => this.#watchHeld(heldMs, holder),
    });
  }

  /** Lets go of the file as the death of the process would: nothing is released, what waits is refused. For tests. */
  abandon(): void {
    const parts = this.#parts;
    if (parts === undefined) return;
    this.#pulse?.stop();
    this.#parts = undefined;
    this.#users.clear();
    parts.writer.stop(fail("PR_STORE_CLOSED", { store: this.#options.file, during: "a write" }));
    for (const consumption of parts.keeper.consumptions) void consumption.stop();
    parts.reader.close();
    parts.connection.close();
    void parts.sync?.close();
    void parts.checkpointer.close();
  }

  async #close({ connection, reader, writer, sync, checkpointer, keeper }: FileParts): Promise<void> {
    this.#pulse?.stop();
    await keeper.close().catch(() => undefined); // at worst its lease runs out
    await writer.drained();
    this.#parts = undefined;
    writer.stop(fail("PR_STORE_CLOSED", { store: this.#options.file, during: "a write" }));
    await sync?.close();
    reader.close();
    await checkpointer.close();
    connection.close();
  }

  #foreignChange(): void {
    this.#pulse?.noteForeign();
    const parts = this.#parts;
    if (parts === undefined) return;
    parts.logs.wakeReaders();
    parts.replies.look();
    for (const listeners of this.#outboxListeners.values()) for (const listener of listeners) listener();
  }

  #spaceChanged(error: PostriderError | undefined): void {
    const { file, logger } = this.#options;
    if (error === undefined) logger.warn({ file }, "there is room for the database again");
    else logger.error({ file, code: error.code }, error.message);
  }

  #failed(error: PostriderError): void {
    this.#options.logger.error({ file: this.#options.file, code: error.code }, error.message);
    this.#parts?.writer.stop(error);
  }

  /** Says who holds up all other writes while that lasts: one that waits for itself would never come to its end and be reported there. */
  #watchHeld(heldMs: number, holder: string | undefined): void {
    const isLong = heldMs > STUCK_MS;
    if (isLong && !this.#reportedHeld && holder !== undefined) this.held(holder, heldMs);
    this.#reportedHeld = isLong;
  }
}

/** Names a SQLite file and how to use it; nothing is opened before a part of it is. */
export function openSqliteFile(options: SqliteFileOptions): SqliteFile {
  return new SqliteFile(options);
}
