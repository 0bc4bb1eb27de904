import type { Clock, Sql } from "postrider";

/** How many orders of the last moments may wait for stock and money before the next one is held back. */
const MOST_OPEN = 24;
const LOOK_MS = 15;
/** An order is held back no longer than this: what is down must not keep customers from ordering. */
const PATIENCE_MS = 1_000;
/** An order that waits for longer than this waits for something that is down, and says nothing of how busy the shop is. */
const RECENT_MS = 2_000;
const ID_TIME_DIGITS = 12;
const ID_FIRST_DIGITS = 8;

/** What the intake needs. */
export interface IntakeNeeds {
  readonly read: () => Sql;
  readonly clock: Clock;
}

/**
 * Back-pressure at the door: accepting an order costs a fraction of carrying it out, so customers who order faster than the shop works would only
 * make each other wait afterwards, with an accepted order that nobody has looked at. Here they wait before, for a moment: nobody is turned away.
 */
export class Intake {
  readonly #needs: IntakeNeeds;
  /** Orders accepted here that were open when they were last looked at. */
  #open = 0;
  #looking: Promise<void> | undefined;

  constructor(needs: IntakeNeeds) {
    this.#needs = needs;
  }

  /** Resolves when there is room for one more order, or after a second. */
  async admit(): Promise<void> {
    const { clock } = this.#needs;
    const untilMs = clock.monotonicMs() + PATIENCE_MS;
    if (this.#open >= MOST_OPEN) await this.#look();
    while (this.#open >= MOST_OPEN && clock.monotonicMs() < untilMs) {
      await clock.sleep(LOOK_MS);
      await this.#look();
    }
    this.#open++;
  }

  /** Counts what is open, once for all who ask meanwhile. */
  async #look(): Promise<void> {
    this.#looking ??= this.#count().finally(() => (this.#looking = undefined));
    await this.#looking;
  }

  async #count(): Promise<void> {
    const { read, clock } = this.#needs;
    const row = await read().get<{ readonly open: number }>(
      "select count(*) as open from gateway_orders where order_id > ? and status in ('pending', 'reserved')",
      oldestIdOf(clock.now() - RECENT_MS),
    );
    this.#open = Number(row?.open ?? 0);
  }
}

/** The least id of those made at a time: ids are UUIDv7, which begin with it. */
function oldestIdOf(ms: number): string {
  const digits = ms.toString(16).padStart(ID_TIME_DIGITS, "0");
  return `${digits.slice(0, ID_FIRST_DIGITS)}-${digits.slice(ID_FIRST_DIGITS)}`;
}
