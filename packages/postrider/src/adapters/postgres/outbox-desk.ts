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
  readonly feed?: (limit: number, handedOut: () => readonly UnclaimedRow[]) => Promise<readonly UnclaimedRow[] | undefined>;
}

const START_OVER_EVERY_MS = 60_000;
const LOOK_EVERY_MS = 100; // dead rows of so long are read over at each reading

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
  #ahead: Promise<readonly UnclaimedRow[] | undefined> | undefined;
  #startedOverMs: number;
  #isLooking = false;
  #lookedMs = -Infinity;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: OutboxDeskOptions) {
    this.#options = options;
    this.floor = new OutboxFloor(options.floor);
    this.removal = new OutboxRemoval(options);
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
    this.#ahead = undefined; // later rows of their keys may be among what was read ahead
    const sequences = held.map(({ sequence }) => sequence);
    await this.#options.rows.putOff(this.#options.term, this.#options.isEvent, sequences, retryAt);
    for (const sequence of sequences) this.floor.putOff(sequence); // as long as they are held, the floor stays before them
    this.claims.end(held);
  }

  async bury(row: OutboxRow, letter: DeadLetter): Promise<boolean> {
    if (this.claims.held([row], this.#options.clock.monotonicMs()).length === 0) return false;
    const isBuried = await this.#options.rows.bury(this.#options.term, this.#options.isEvent, row, letter);
    this.claims.end([row]);
    return isBuried;
  }

  async #claim(limit: number, leaseMs: number): Promise<readonly OutboxRow[]> {
    const { clock } = this.#options;
    if (this.removal.left.length > 0) this.removal.flush().catch(() => undefined);
    const fed = await this.#options.feed?.(limit, () => (this.#expire(), this.claims.handedOut));
    if (fed !== undefined) return this.claims.hand(fed, clock.monotonicMs() + leaseMs);
    const found = (await this.#readAhead(limit)) ?? (await this.#read(limit, true));
    const rows = this.claims.hand(found, clock.monotonicMs() + leaseMs);
    for (const { sequence } of found) this.floor.handedOut(sequence);
    if (found.length > 0) void this.#look();
    else this.#startOver();
    if (found.length === limit) this.#ahead = this.#read(limit, false).catch(() => undefined);
    return rows;
  }

  /** What was read ahead, as long as it is what would be read now. */
  async #readAhead(limit: number): Promise<readonly UnclaimedRow[] | undefined> {
    const ahead = this.#ahead;
    const rows = await ahead;
    this.#expire();
    // Taken back meanwhile: a row that stands before one of these, in its key, is unsent again.
    const isValid = this.#ahead === ahead && this.claims.handedOut.length === 0;
    this.#ahead = undefined;
    return isValid && rows !== undefined && rows.length > 0 && rows.length <= limit ? rows : undefined;
  }

  async #read(limit: number, holdsKeys: boolean): Promise<readonly UnclaimedRow[]> {
    const { rows, isEvent } = this.#options;
    const { visibleTo, floor } = this.floor;
    this.#expire();
    const { handedOut } = this.claims;
    const taken = [...handedOut.map(({ sequence }) => sequence), ...this.removal.left];
    const found = await rows.read(isEvent, { floor, limit, taken, heldKeysOf: holdsKeys ? handedOut : [] });
    const lowest = taken.reduce((least, sequence) => Math.min(least, sequence), Infinity);
    this.floor.read(visibleTo, found[0]?.sequence, lowest);
    return found;
  }

  /** Now and then, when there is nothing to do: whatever the floor may have passed over is found. */
  #startOver(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs < this.#startedOverMs + START_OVER_EVERY_MS) return;
    this.#startedOverMs = nowMs;
    this.floor.startOver();
  }

  #expire(): void {
    if (this.claims.expire(this.#options.clock.monotonicMs())) this.#ahead = undefined;
  }

  /** Never rejects: without a look the floor stays where it is. */
  async #look(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#isLooking || nowMs < this.#lookedMs + LOOK_EVERY_MS) return;
    this.#isLooking = true;
    this.#lookedMs = nowMs;
    const { rows, isEvent } = this.#options;
    try {
      if (!this.floor.knowsLater) this.floor.foundLater(await rows.later(isEvent));
      this.floor.looked(await rows.look());
    } catch {
      // the next one may succeed
    } finally {
      this.#isLooking = false;
    }
  }
}
