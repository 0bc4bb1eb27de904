import { deferred } from "../../base/deferred.ts";
import type { Deferred } from "../../base/deferred.ts";
import { bodyBytes } from "../../envelope/envelope.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import type { Run } from "./statement.ts";
import type { OutboxTable } from "./store-outbox.ts";
import { isConnectionLost, isServerError } from "./vendor-error.ts";

interface Waiting {
  readonly messages: readonly Outgoing[];
  readonly keys: readonly string[];
  readonly outcome: Deferred;
}

// Of one statement: large enough that a round trip and a sync of the server's disk are shared by many, small enough that nobody waits long for others' bytes.
const MAX_ROWS = 1000;
const MAX_BYTES = 4 * 1024 * 1024;
// Statements under way at once: one may have to wait for a lock that another process holds, and must not hold up what needs none of it.
const MAX_FLIGHTS = 3;

/**
 * Writes what transactions that did nothing else have to send: all that wait, in one statement and one commit.
 *
 * Order: of one key, that of the calls, since its messages are never in two statements at once. A transaction fails alone: a statement that the server
 * refuses is repeated for each by itself. Where nobody knows what became of it, all are told so.
 */
export class AppendGroup {
  readonly #outbox: OutboxTable;
  readonly #run: Run;
  readonly #busyKeys = new Set<string>();
  #waiting: Waiting[] = [];
  #flights = 0;

  constructor(outbox: OutboxTable, run: Run) {
    this.#outbox = outbox;
    this.#run = run;
  }

  /** Resolves once the messages are committed. */
  append(messages: readonly Outgoing[]): Promise<void> {
    const waiting = { messages, keys: keysOf(messages), outcome: deferred() };
    this.#waiting.push(waiting);
    this.#start();
    return waiting.outcome.promise;
  }

  #start(): void {
    while (this.#flights < MAX_FLIGHTS && this.#waiting.length > 0) {
      const group = this.#take();
      if (group.length === 0) return;
      this.#flights++;
      void this.#commit(group).then(() => {
        this.#flights--;
        for (const { keys } of group) for (const key of keys) this.#busyKeys.delete(key);
        this.#start();
      });
    }
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    try {
      await this.#run(...this.#outbox.append(group.flatMap(({ messages }) => messages)));
      for (const { outcome } of group) outcome.resolve();
    } catch (error) {
      const { cause } = error as Error;
      if (group.length > 1 && isServerError(cause) && !isConnectionLost(cause)) for (const one of group) await this.#commit([one]);
      else for (const { outcome } of group) outcome.reject(error);
    }
  }

  /** Those that fit into one statement, but for keys that are under way or wait before them. */
  #take(): readonly Waiting[] {
    const group: Waiting[] = [];
    const left: Waiting[] = [];
    const passedOver = new Set<string>();
    let [rows, bytes] = [0, 0];
    for (const [at, one] of this.#waiting.entries()) {
      rows += one.messages.length;
      for (const { body } of one.messages) bytes += bodyBytes(body);
      if (group.length > 0 && (rows > MAX_ROWS || bytes > MAX_BYTES)) {
        left.push(...this.#waiting.slice(at));
        break;
      }
      const mustWait = one.keys.some((key) => this.#busyKeys.has(key) || passedOver.has(key));
      if (mustWait) for (const key of one.keys) passedOver.add(key);
      (mustWait ? left : group).push(one);
    }
    for (const { keys } of group) for (const key of keys) this.#busyKeys.add(key);
    this.#waiting = left;
    return group;
  }
}

function keysOf(messages: readonly Outgoing[]): readonly string[] {
  const keys = new Set<string>();
  for (const { destination, envelope } of messages)
    if (envelope.partitionkey !== undefined) keys.add(`${destination}\u0000${envelope.partitionkey}`);
  return [...keys];
}
