import type { Pool } from "pg";

const BATCH = 500;

interface Waiting {
  readonly id: string;
  readonly body: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Makes one insert of the sends of one turn of the event loop, and of those that come while one is under way. */
export class MergedInserts {
  readonly #pool: Pool;
  readonly #into: string;
  readonly #onInserted: () => void;
  #waiting: Waiting[] = [];
  #isFlushing = false;

  constructor(pool: Pool, into: string, onInserted: () => void) {
    this.#pool = pool;
    this.#into = into;
    this.#onInserted = onInserted;
  }

  add(body: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id: crypto.randomUUID(), body, resolve, reject });
      if (!this.#isFlushing) void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    this.#isFlushing = true;
    await new Promise((resolve) => void setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH);
      try {
        const values = [batch.map(({ id }) => id), batch.map(({ body }) => body)];
        const text = `insert into ${this.#into} select * from unnest($1::uuid[], $2::jsonb[])`;
        await this.#pool.query({ name: "send", text, values });
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
      this.#onInserted();
    }
    this.#isFlushing = false;
  }
}
