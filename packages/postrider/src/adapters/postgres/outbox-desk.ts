import type { Clock } from "../../base/clock.ts";
import type { DeadLetter } from "../../ports/dead-letters.ts";
import type { OutboxRow } from "../../ports/outbox.ts";
import { OutboxClaims } from "./outbox-claims.ts";
import type { UnclaimedRow } from "./outbox-claims.ts";
import { OutboxFloor } from "./outbox-floor.ts";
import { OutboxRemoval } from "./outbox-removal.ts";
import type { OutboxRows } from "./outbox-rows.ts";

/** What a desk stands on. */
export interface OutboxDeskOptions {
  readonly isEvent: boolean;
  readonly rows: OutboxRows;
  readonly clock: Clock;
  /** From where on rows may be left. */
  readonly floor: number;
  /** Of the leader: what is done under another one is not ours. */
  readonly term: number;
  /** Where rows come from instead of the table; undefined while they do not. */
  readonly feed?: (limit: number, isBlocked: (key: string) => boolean) => Promise<readonly UnclaimedRow[] | undefined>;
}

const START_OVER_EVERY_MS = 60_000;
// Rows that were removed since the last look but one are read over at each reading.
const LOOK_EVERY_MS = 100;
const LOOK_EVERY_ROWS = 1000;

/**
 * Hands out the rows of one kind while this process leads: read from the table by their numbers.
 *
 * The next rows are read while those before are being sent. What is handed out is remembered here alone; the table only learns of rows that are done, and of the few that are put off.
 */
export class OutboxDesk {
  readonly claims: OutboxClaims = new OutboxClaims();
  readonly floor: OutboxFloor;
  readonly removal: OutboxRemoval;
  readonly #options: OutboxDeskOptions;
  /** Rows that were read and wait: for their turn, or for an earlier one of their key. */
  #waiting: readonly UnclaimedRow[] = [];
  #ahead: Promise<unknown> | undefined;
  #startedOverMs: number;
  #isLooking = false;
  #lookedMs = -Infinity;
  #unlooked = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: OutboxDeskOptions) {
    this.#options = options;
    this.floor = new OutboxFloor(options.floor);
    this.removal = new OutboxRemoval({ ...options, onGivenUp: () => this.#forget() });
    this.#startedOverMs = options.clock.monotonicMs();
  }

  /** One at a time: what one is handed, the next does not find. */
  claim(limit: number, leaseMs: number): Promise<readonly OutboxRow[]> {
    const claimed = this.#turn.then(() => this.#claim(limit, leaseMs));
    this.#turn = claimed.catch(() => undefined);
    return claimed;
  }

  async done(rows: readonly OutboxRow[]): Promise<void> {
    const held = this.claims.held(rows, this.#options.clock.monotonicMs());
    if (held.length === 0) return;
    this.claims.end(held);
    await this.removal.remove(held.map(({ sequence }) => sequence));
  }

  /** What is in the table of rows that are neither handed out nor known to `knows`, and moves the floor on. */
  async look(knows: (sequence: number) => boolean, limit: number): Promise<readonly number[]> {
    const { rows, isEvent } = this.#options;
    const { visibleTo, floor } = this.floor;
    const left = await rows.unsent(isEvent, floor, limit);
    this.floor.read(visibleTo, left[0]?.sequence, undefined);
    await this.#look();
    return left
      .map(({ sequence }) => sequence)
      .filter((sequence) => !knows(sequence) && !this.claims.has(sequence) && !this.removal.has(sequence));
  }

  async giveBack(rows: readonly OutboxRow[], retryAt: number): Promise<void> {
    const held = this.claims.held(rows, this.#options.clock.monotonicMs());
    if (held.length === 0) return;
    const sequences = held.map(({ sequence }) => sequence);
    await this.#options.rows.putOff(this.#options.term, this.#options.isEvent, sequences, retryAt);
    for (const sequence of sequences) this.floor.putOff(sequence); // as long as they are held, the floor stays before them
    this.#forget(); // later rows of their keys may be among what was read before
    this.claims.end(held);
  }

  async bury(row: OutboxRow, letter: DeadLetter): Promise<boolean> {
    if (this.claims.held([row], this.#options.clock.monotonicMs()).length === 0) return false;
    const isBuried = await this.#options.rows.bury(this.#options.term, this.#options.isEvent, row, letter);
    if (!isBuried) this.#forget(); // somebody else's by now, or still there
    this.claims.end([row]);
    return isBuried;
  }

  async #claim(limit: number, leaseMs: number): Promise<readonly OutboxRow[]> {
    const { clock } = this.#options;
    if (this.removal.left.length > 0) this.removal.flush().catch(() => undefined);
    this.#expire();
    const fed = await this.#options.feed?.(limit, (key) => this.claims.hasKey(key));
    if (fed !== undefined) {
      this.#forget();
      return this.claims.hand(fed, clock.monotonicMs() + leaseMs);
    }
    const found = await this.#next(limit);
    const rows = this.claims.hand(found, clock.monotonicMs() + leaseMs);
    for (const { sequence } of found) this.floor.handedOut(sequence);
    if (found.length > 0) void this.#look(found.length);
    else this.#startOver();
    if (found.length === limit && this.#waiting.length < limit) this.#ahead = this.#read(limit).catch(() => undefined);
    return rows;
  }

  /** The oldest rows but for those of keys that are out, of what was read ahead and of the table. */
  async #next(limit: number): Promise<readonly UnclaimedRow[]> {
    await this.#ahead;
    this.#ahead = undefined;
    this.#expire();
    while (this.#waiting.length === 0 && !(await this.#read(limit)));
    const [found, left]: [UnclaimedRow[], UnclaimedRow[]] = [[], []];
    for (const row of this.#waiting) (found.length === limit || this.claims.hasKey(row.key) ? left : found).push(row);
    this.#waiting = left;
    return found;
  }

  /** Reads the next rows into what waits. False when that was forgotten meanwhile: a row that stands before one of these, in its key, may be unsent again. */
  async #read(limit: number): Promise<boolean> {
    const { rows, isEvent } = this.#options;
    this.#expire();
    const { visibleTo, from } = this.floor;
    const before = this.#waiting;
    const taken = [...this.claims.sequences, ...before.map(({ sequence }) => sequence), ...this.removal.left];
    const found = await rows.read(isEvent, { floor: from, limit, taken: taken.filter((sequence) => sequence > from) });
    if (this.#waiting !== before) return false;
    this.#waiting = [...before, ...found];
    const lowest = taken.reduce((least, sequence) => Math.min(least, sequence), Infinity);
    this.floor.read(visibleTo, found[0]?.sequence, lowest);
    this.floor.readTo(visibleTo, found.length < limit ? Infinity : found.at(-1)!.sequence);
    return true;
  }

  /** What was read and is not handed out is read again. */
  #forget(): void {
    this.#waiting = [];
    this.floor.forget();
  }

  /** Now and then, when there is nothing to do: whatever the floor may have passed over is found. */
  #startOver(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs < this.#startedOverMs + START_OVER_EVERY_MS) return;
    this.#startedOverMs = nowMs;
    this.floor.startOver();
  }

  #expire(): void {
    if (this.claims.expire(this.#options.clock.monotonicMs())) this.#forget();
  }

  /** Never rejects: without a look the floor stays where it is. */
  async #look(rows: number = 0): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    this.#unlooked += rows;
    if (this.#isLooking || (nowMs < this.#lookedMs + LOOK_EVERY_MS && this.#unlooked < LOOK_EVERY_ROWS)) return;
    this.#isLooking = true;
    this.#lookedMs = nowMs;
    this.#unlooked = 0;
    const { rows: table, isEvent } = this.#options;
    try {
      if (!this.floor.knowsLater) this.floor.foundLater(await table.later(isEvent));
      this.floor.looked(await table.look());
    } catch {
      // the next one may succeed
    } finally {
      this.#isLooking = false;
    }
  }
}
