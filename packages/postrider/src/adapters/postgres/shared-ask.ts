import { deferred } from "../../base/deferred.ts";
import type { Deferred } from "../../base/deferred.ts";

interface Asked<Answer> {
  readonly keys: readonly string[];
  readonly answer: Deferred<Answer>;
}

const MAX_KEYS = 500; // of one statement

/**
 * Asks for many keys in one statement: those of one turn, and those that came while others were asked for. One is under way at a time.
 *
 * No statement has a key twice: who asks for one again waits for the next.
 */
export class SharedAsk<Answer> {
  readonly #ask: (keys: readonly string[]) => Promise<Answer>;
  #waiting: Asked<Answer>[] = [];
  #isAsking = false;

  constructor(ask: (keys: readonly string[]) => Promise<Answer>) {
    this.#ask = ask;
  }

  /** The answer of the statement that has these keys among others. */
  of(keys: readonly string[]): Promise<Answer> {
    const answer = deferred<Answer>();
    this.#waiting.push({ keys, answer });
    if (!this.#isAsking) void this.#askAll();
    return answer.promise;
  }

  async #askAll(): Promise<void> {
    this.#isAsking = true;
    await new Promise<void>((resolve) => process.nextTick(resolve)); // what is asked in this turn goes together
    while (this.#waiting.length > 0) {
      const keys = new Set<string>();
      const group = this.#next(keys);
      try {
        const answer = await this.#ask([...keys]);
        for (const asked of group) asked.answer.resolve(answer);
      } catch (error) {
        for (const asked of group) asked.answer.reject(error);
      }
    }
    this.#isAsking = false;
  }

  /** Takes out who fits into the next statement, and collects their keys. */
  #next(keys: Set<string>): readonly Asked<Answer>[] {
    const [group, left]: [Asked<Answer>[], Asked<Answer>[]] = [[], []];
    for (const asked of this.#waiting) {
      const fits = group.length === 0 || (keys.size + asked.keys.length <= MAX_KEYS && !asked.keys.some((key) => keys.has(key)));
      (fits ? group : left).push(asked);
      if (fits) for (const key of asked.keys) keys.add(key);
    }
    this.#waiting = left;
    return group;
  }
}
