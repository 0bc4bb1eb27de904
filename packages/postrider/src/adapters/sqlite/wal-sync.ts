import { close, fdatasync, fsync, open } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { deferred } from "../../base/deferred.ts";
import { fail, reasonOf } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";

/** What waits for the disk. */
export interface Syncable {
  durable(): void;
  unsynced(error: PostriderError): void;
  /** Gives up waiting if its time is over. */
  expire?(nowMs: number): void;
}

/** Who hears of syncs. */
export interface SyncListeners {
  /** Each time one has ended well. */
  readonly onSynced: () => void;
  /** Once. */
  readonly onFatal: (error: PostriderError) => void;
}

/**
 * Brings commits to the disk off the main thread, one sync at a time, and says so to everything that was committed before the sync began.
 *
 * SQLite writes a commit's frames before COMMIT returns; a sync that begins afterwards therefore covers it, and every commit before it, also those of
 * other processes. A failed sync is fatal: the kernel may have dropped the pages, so a second one that succeeds would prove nothing.
 */
export class WalSync {
  readonly #file: string;
  readonly #listeners: SyncListeners;
  #fd: number | undefined;
  #waiting: Syncable[] = [];
  #covered: readonly Syncable[] = [];
  #isRunning = false;
  #fatal: PostriderError | undefined;
  #idle: (() => void) | undefined;

  constructor(file: string, listeners: SyncListeners) {
    this.#file = file;
    this.#listeners = listeners;
  }

  /** The WAL file's own descriptor is safe to open and close; the main file's and the -shm's are not: closing one drops SQLite's locks. */
  async open(): Promise<void> {
    this.#fd = await promisify(open)(`${this.#file}-wal`, "r");
    // The directory too, or a new file's name may be gone after a power cut.
    const folder = await promisify(open)(dirname(this.#file), "r");
    try {
      await promisify(fsync)(folder);
    } finally {
      await promisify(close)(folder);
    }
  }

  /** Whether a sync is under way. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Takes what was just committed. */
  add(committed: Syncable): void {
    if (this.#fatal !== undefined) return committed.unsynced(this.#fatal);
    this.#waiting.push(committed);
    if (!this.#isRunning) this.#start();
  }

  /** Ends the waiting of what has no time left, however long the disk takes. */
  expire(nowMs: number): void {
    for (const one of [...this.#covered, ...this.#waiting]) one.expire?.(nowMs);
  }

  /** Resolves after a sync that begins from now on. @throws PR_STORE_SYNC_FAILED */
  barrier(): Promise<void> {
    const { promise, resolve, reject } = deferred();
    this.add({ durable: resolve, unsynced: reject });
    return promise;
  }

  /** Resolves once nothing waits, and lets go of the file. */
  async close(): Promise<void> {
    if (this.#isRunning) await new Promise<void>((resolve) => (this.#idle = resolve));
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd === undefined) return;
    await promisify(close)(fd).catch((error: unknown) => {
      if (this.#fatal === undefined) throw error; // what cannot be synced may not be closed either; that is said already
    });
  }

  #start(): void {
    const covered = this.#waiting;
    this.#covered = covered;
    this.#waiting = [];
    this.#isRunning = true;
    fdatasync(this.#fd!, (error) => this.#done(covered, error));
  }

  #done(covered: readonly Syncable[], error: Error | null): void {
    this.#isRunning = false;
    this.#covered = [];
    if (error !== null) return this.#failed(covered, error);
    // The next sync runs while the callers of this one go on.
    if (this.#waiting.length > 0) this.#start();
    for (const one of covered) one.durable();
    this.#listeners.onSynced();
    if (!this.#isRunning) this.#idle?.();
  }

  #failed(covered: readonly Syncable[], cause: Error): void {
    this.#fatal = fail("PR_STORE_SYNC_FAILED", { file: this.#file, detail: reasonOf(cause) }, { cause });
    this.#listeners.onFatal(this.#fatal);
    for (const one of [...covered, ...this.#waiting.splice(0)]) one.unsynced(this.#fatal);
    this.#idle?.();
  }
}
