import { isPostriderError } from "postrider";
import { placeOrders } from "./place.ts";
import type { Placing, PlacingNeeds, Wish } from "./place.ts";

interface Waiting {
  readonly wish: Wish;
  readonly resolve: (placing: Placing) => void;
  readonly reject: (error: unknown) => void;
}

const MOST_UNDER_WAY = 3; // of the gateway's eight connections: one that waits for a key that another process holds stops neither the others nor readers
const MOST_TOGETHER = 200;

/**
 * Takes orders: what comes while earlier ones are being written is written together, in one unit of work. Where a database is quick each order is alone;
 * where it is not, two hundred wait for one commit and not for two hundred.
 */
export class OrderDesk {
  readonly #needs: PlacingNeeds;
  #waiting: Waiting[] = [];
  #underWay = 0;

  constructor(needs: PlacingNeeds) {
    this.#needs = needs;
  }

  /** Settles once the order is committed, or refused. */
  async place(wish: Wish): Promise<Placing> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ wish, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#underWay === MOST_UNDER_WAY || this.#waiting.length === 0) return;
    this.#underWay++;
    void this.#write(this.#take()).finally(() => {
      this.#underWay--;
      this.#next();
    });
  }

  /** The eldest, without two of one key: the second is to find what the first has written. */
  #take(): readonly Waiting[] {
    const keys = new Set<string>();
    const later: Waiting[] = [];
    const taken: Waiting[] = [];
    for (const one of this.#waiting) {
      const { idempotencyKey } = one.wish;
      const isLater = taken.length === MOST_TOGETHER || (idempotencyKey !== undefined && keys.has(idempotencyKey));
      (isLater ? later : taken).push(one);
      if (idempotencyKey !== undefined) keys.add(idempotencyKey);
    }
    this.#waiting = later;
    return taken;
  }

  /** All together, or each by itself where one of them cannot be written. */
  async #write(orders: readonly Waiting[]): Promise<void> {
    try {
      const placings = await placeOrders(
        this.#needs,
        orders.map(({ wish }) => wish),
      );
      for (const [n, { resolve }] of orders.entries()) resolve(placings[n]!);
    } catch (error) {
      const isOutage = isPostriderError(error) && error.retryable;
      if (orders.length === 1 || isOutage) for (const { reject } of orders) reject(error);
      else for (const order of orders) await this.#write([order]);
    }
  }
}
