import type { Clock, Sql, Timer } from "postrider";
import type { Status } from "../../contracts/shapes.ts";

/** A step of an order's history; ids grow in the order of the commits. */
export interface HistoryEvent {
  readonly id: number;
  readonly orderId: string;
  readonly status: Status;
  readonly at: string;
}

/** Hears new steps, some at a time, in order. */
export type HistoryListener = (events: readonly HistoryEvent[]) => void;

const COLUMNS = 'id, order_id as "orderId", status, at';
const PAGE_ROWS = 500;
const SOON_MS = 3;
const IDLE_MS = 250; // what another process wrote shows within this

/**
 * Follows the history as it grows, for all event streams of a process at once: one read feeds every listener, and none runs while nobody listens.
 *
 * It reads committed rows only. `poke` says that rows are about to come; it does not have to.
 */
export class HistoryTail {
  readonly #read: () => Sql;
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  readonly #listeners = new Set<HistoryListener>();
  #lastId = 0;
  #waitMs = SOON_MS;
  #timer: Timer | undefined;
  #isReading = false;
  #beginning: Promise<void> | undefined;

  constructor(read: () => Sql, clock: Clock, onError: (error: unknown) => void) {
    this.#read = read;
    this.#clock = clock;
    this.#onError = onError;
  }

  /** New rows are about to be committed: look soon. */
  poke(): void {
    if (this.#waitMs === SOON_MS) return;
    this.#waitMs = SOON_MS;
    this.#arm();
  }

  /** Hears everything from now on. Returns the id of the last step before that, and how to stop. */
  async follow(listener: HistoryListener): Promise<{ readonly since: number; readonly stop: () => void }> {
    // Who comes while the first one still asks where the history ends waits for the same answer.
    if (this.#listeners.size === 0) this.#beginning = this.#begin();
    this.#listeners.add(listener);
    const stop = (): void => void this.#listeners.delete(listener);
    try {
      await this.#beginning;
      this.#arm();
      return { since: this.#lastId, stop };
    } catch (error) {
      stop();
      throw error;
    }
  }

  /** A page of an order's steps, or of all, after an id. */
  page(after: number, orderId?: string): Promise<HistoryEvent[]> {
    if (orderId === undefined)
      return this.#read().all(`select ${COLUMNS} from gateway_history where id > ? order by id limit ${PAGE_ROWS}`, after);
    return this.#read().all(
      `select ${COLUMNS} from gateway_history where order_id = ? and id > ? order by id limit ${PAGE_ROWS}`,
      orderId,
      after,
    );
  }

  /** Whether an id can be one of ours: a reader may come with one of a history that is no more. */
  async hasReached(id: number): Promise<boolean> {
    return id <= this.#lastId || id <= (await this.#newestId());
  }

  async #begin(): Promise<void> {
    this.#lastId = Math.max(this.#lastId, await this.#newestId());
  }

  async #newestId(): Promise<number> {
    const row = await this.#read().get<{ readonly id: number | null }>("select max(id) as id from gateway_history");
    return row?.id ?? 0;
  }

  #arm(): void {
    this.#timer?.cancel();
    if (this.#listeners.size > 0 && !this.#isReading) this.#timer = this.#clock.after(this.#waitMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    this.#isReading = true;
    try {
      const events = await this.page(this.#lastId);
      const last = events.at(-1);
      this.#waitMs = last === undefined ? Math.min(this.#waitMs * 2, IDLE_MS) : SOON_MS;
      if (last !== undefined) {
        this.#lastId = last.id;
        for (const listener of this.#listeners) listener(events);
      }
    } catch (error) {
      this.#waitMs = IDLE_MS;
      this.#onError(error);
    } finally {
      this.#isReading = false;
      this.#arm();
    }
  }
}
