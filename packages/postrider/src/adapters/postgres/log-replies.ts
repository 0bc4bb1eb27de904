import type { Clock } from "../../base/clock.ts";
import type { FoundMessage, Outgoing } from "../../envelope/envelope.ts";
import type { ReplyInbox } from "../../ports/transport.ts";
import { WakeLoop } from "../../base/wake-loop.ts";
import { bodyOf, envelopeOf, headersOf, PLAIN_ROWS, plainRows } from "./log-codec.ts";
import type { Column } from "./log-codec.ts";
import type { LogPlace } from "./log-place.ts";

const ADDRESS_PREFIX = "postgres-reply:";
const MAX_ROWS = 200;
const FAILED_MS = 250;
const IDLE_MS = 60_000; // the pulse wakes

type OnReply = (message: FoundMessage) => void;

/**
 * Answers for instances that wait. An answer to an instance of this process never becomes a row: that instance ends with the process anyway; it is handed
 * over once the rest of its batch is durable. An answer to another process is a row that it reads and deletes.
 */
export class LogReplies {
  readonly #log: LogPlace;
  readonly #clock: Clock;
  readonly #inboxes = new Map<string, OnReply>();
  readonly #loop: WakeLoop;
  /** Handed over and perhaps still there. */
  #handed = new Set<string>();

  constructor(log: LogPlace, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
    this.#loop = new WakeLoop({ clock, round: () => this.#look() });
    this.#loop.start();
  }

  /** Whether a destination is a reply address. */
  isAddress(destination: string): boolean {
    return destination.startsWith(ADDRESS_PREFIX);
  }

  /** Whether it is one of this process' own, so that no row is needed. */
  isHere(destination: string): boolean {
    return this.#inboxes.has(destination);
  }

  open(id: string, onReply: OnReply): ReplyInbox {
    const address = ADDRESS_PREFIX + id;
    this.#inboxes.set(address, onReply);
    return {
      address,
      close: async () => {
        if (!this.#inboxes.delete(address)) return;
        await this.#delete("address = $1", [address]);
      },
    };
  }

  /** Hands over answers to this process. */
  deliver(messages: readonly Outgoing[]): void {
    for (const { destination, envelope, headers, body } of messages) {
      const onReply = this.#inboxes.get(destination);
      if (onReply === undefined) continue;
      const answer: FoundMessage = { envelope, headers, body: typeof body === "string" ? body : body.slice() };
      void this.#clock.yield().then(() => onReply(answer));
    }
  }

  /** There may be answers from elsewhere. */
  wake(): void {
    this.#loop.wake();
  }

  /** Deletes what nobody came for, a bounded batch. */
  async cleanUp(): Promise<void> {
    const old = `select sequence from ${this.#log.schema}.pr_replies where expires_at < ${this.#log.schema}.pr_now() limit 1000`;
    await this.#delete(`sequence in (${old})`, []);
  }

  async stop(): Promise<void> {
    this.#inboxes.clear();
    await this.#loop.stop();
  }

  async #look(): Promise<number> {
    if (this.#inboxes.size === 0) return IDLE_MS;
    try {
      const text = `select sequence, address, flags, head, headers, body, blob from ${this.#log.schema}.pr_replies where address = any ($1) order by sequence limit ${MAX_ROWS}`;
      const query = { ...this.#log.statement("replies", text, [[...this.#inboxes.keys()]]), ...PLAIN_ROWS };
      const rows = plainRows(await this.#log.connections.query(query));
      if (rows.length === 0) return IDLE_MS;
      for (const row of rows) this.#handOver(row);
      await this.#delete("sequence = any ($1)", [rows.map(([sequence]) => sequence)]);
      this.#handed = new Set();
      this.wake();
      return IDLE_MS;
    } catch {
      return FAILED_MS;
    }
  }

  #handOver(row: readonly Column[]): void {
    const [sequence, address, flags, head, headers, body, blob] = row as readonly [string, string, string, ...Column[]];
    if (this.#handed.has(sequence)) return;
    this.#handed.add(sequence);
    this.#inboxes.get(address)?.({ envelope: envelopeOf(head!), headers: headersOf(headers!), body: bodyOf(Number(flags), body!, blob!) });
  }

  async #delete(where: string, values: unknown[]): Promise<void> {
    await this.#log.connections.query({ text: `delete from ${this.#log.schema}.pr_replies where ${where}`, values });
  }
}
