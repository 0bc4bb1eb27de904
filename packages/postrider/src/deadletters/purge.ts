import type { DeadLetterFilter } from "../ports/dead-letters.ts";
import type { Store } from "../ports/store.ts";

const LETTERS_PER_TRANSACTION = 100; // keeps the writer's turns short while a purge of thousands runs

/**
 * Deletes the dead letters that fit and are there at the call, a hundred per transaction. Returns how many.
 *
 * What was parked behind an ordered one goes on with the same commit, oldest first, unless something else still blocks its key.
 */
export async function purgeLetters(store: Store, filter: DeadLetterFilter): Promise<number> {
  let count = 0;
  let after: string | undefined;
  for (;;) {
    const page = await store.deadLetters.list(filter, { limit: LETTERS_PER_TRANSACTION, ...(after === undefined ? {} : { after }) });
    if (page.length === 0) return count;
    // Downwards by id: what is given up meanwhile has a higher one, and is never reached.
    after = page.at(-1)!.id;
    count += await store.transaction(async (transaction) => {
      let removed = 0;
      for (const { id, isOrdered, destination, key } of page) {
        if (!(await transaction.deadLetters.remove(id))) continue;
        removed++;
        if (isOrdered && key !== undefined) await transaction.held.releaseNext(destination, key);
      }
      return removed;
    });
  }
}
