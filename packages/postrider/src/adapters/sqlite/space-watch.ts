import type { PostriderError } from "../../base/errors.ts";
import { isPostriderError } from "../../base/errors.ts";
import type { Connection } from "./connection.ts";
import type { Job } from "./turn.ts";
import type { Writer } from "./writer.ts";

/** What a watch stands on. */
export interface SpaceWatchOptions {
  readonly connection: Connection;
  readonly writer: Writer;
  /** Hears of each change: the error when there is no room, undefined when there is again. */
  readonly onChange: (error: PostriderError | undefined) => void;
}

// 64 KiB: less would find room that the next messages do not. In two rows, because a statement of one row that meets a full disk ends the whole transaction,
// while one that may have to take rows back has a journal of its own.
const PROBE = "insert into pr_meta (key, value) select column1, zeroblob(32768) from (values ('space 1'), ('space 2'))";
const UNDO = "delete from pr_meta where key in ('space 1', 'space 2')";

/**
 * Knows whether writes fail for want of space.
 *
 * States: *well*; a write that met a full disk leads to *full*; then a few pages are written again and again, for what is only changed in place
 * (leases) succeeds on a full disk too, and nobody may write anything else to a process that says that it is not ready. Their commit leads back.
 */
export class SpaceWatch {
  readonly #options: SpaceWatchOptions;
  #trouble: PostriderError | undefined;
  #isProbing = false;

  constructor(options: SpaceWatchOptions) {
    this.#options = options;
  }

  /** Why writes fail, while they do. */
  get trouble(): PostriderError | undefined {
    return this.#trouble;
  }

  /** Something could not be written. */
  note(error: unknown): void {
    if (!isPostriderError(error, "PR_STORE_FULL") || this.#trouble !== undefined) return;
    this.#trouble = error;
    this.#options.onChange(error);
  }

  /** Called again and again: looks whether there is room. */
  tick(): void {
    if (this.#trouble === undefined || this.#isProbing) return;
    this.#isProbing = true;
    this.#options.writer.enqueue(new ProbeJob(this.#options.connection, (hasRoom) => this.#probed(hasRoom)));
  }

  #probed(hasRoom: boolean): void {
    this.#isProbing = false;
    if (!hasRoom) return;
    this.#trouble = undefined;
    this.#options.onChange(undefined);
  }
}

/** Writes what needs room, and takes it back where it has found some: the pages are used for what comes next. */
class ProbeJob implements Job {
  readonly isVolatile = true;
  readonly #connection: Connection;
  readonly #probed: (hasRoom: boolean) => void;
  #hasRoom = false;

  constructor(connection: Connection, probed: (hasRoom: boolean) => void) {
    this.#connection = connection;
    this.#probed = probed;
  }

  /** Nobody who shares the turn may fail for its sake. */
  run(): void {
    const connection = this.#connection;
    connection.run("savepoint pr_space");
    try {
      connection.run(PROBE);
      connection.run(UNDO);
      this.#hasRoom = true;
    } catch (error) {
      if (!connection.db.isTransaction) throw error;
      connection.run("rollback to pr_space");
    }
    connection.run("release pr_space");
  }

  durable(): void {
    this.#probed(this.#hasRoom);
  }

  failed(): void {
    this.#probed(false);
  }
}
