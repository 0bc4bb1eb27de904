import { deferred } from "../../base/deferred.ts";
import type { Deferred } from "../../base/deferred.ts";
import type { InboxEntry, InboxVerdict } from "../../ports/inbox.ts";

interface Waiting {
  readonly entry: InboxEntry;
  readonly verdict: Deferred<InboxVerdict>;
}

const MAX_ENTRIES = 500; // of one statement
const MAX_FLIGHTS = 1; // statements under way at once: what comes meanwhile shares the next one

/** Asks the inbox for many messages in one statement: those of one turn, and those that came while others were asked for. */
export class InboxChecks {
  readonly #ask: (entries: readonly InboxEntry[]) => Promise<readonly InboxVerdict[]>;
  #waiting: Waiting[] = [];
  #flights = 0;

  constructor(ask: (entries: readonly InboxEntry[]) => Promise<readonly InboxVerdict[]>) {
    this.#ask = ask;
  }

  /** What is known of a message now. */
  of(entry: InboxEntry): Promise<InboxVerdict> {
    const verdict = deferred<InboxVerdict>();
    this.#waiting.push({ entry, verdict });
    if (this.#flights < MAX_FLIGHTS) void this.#fly();
    return verdict.promise;
  }

  async #fly(): Promise<void> {
    this.#flights++;
    await new Promise<void>((resolve) => process.nextTick(resolve)); // what is asked in this turn goes together, whatever else it awaits before
    while (this.#waiting.length > 0) await this.#answer(this.#waiting.splice(0, MAX_ENTRIES));
    this.#flights--;
  }

  async #answer(group: readonly Waiting[]): Promise<void> {
    try {
      const verdicts = await this.#ask(group.map(({ entry }) => entry));
      group.forEach(({ verdict }, at) => verdict.resolve(verdicts[at]!));
    } catch (error) {
      for (const { verdict } of group) verdict.reject(error);
    }
  }
}
