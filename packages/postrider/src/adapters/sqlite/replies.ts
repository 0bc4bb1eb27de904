import type { Clock } from "../../base/clock.ts";
import type { FoundMessage, Outgoing } from "../../envelope/envelope.ts";
import type { ReplyInbox } from "../../ports/transport.ts";
import type { Connection } from "./connection.ts";
import type { Turn } from "./turn.ts";
import type { WalSync } from "./wal-sync.ts";
import { headersFromColumn, headersToColumn, headFromColumn, headToColumn, keepable } from "../../envelope/columns.ts";
import { write } from "./write-job.ts";
import type { Writer } from "./writer.ts";

const ADDRESS_PREFIX = "sqlite-reply:";

// A reply that nobody fetches and that does not say when it expires.
const REPLY_KEPT_MS = 60_000;

/** What replies stand on. */
export interface RepliesOptions {
  readonly connection: Connection;
  readonly reader: Connection;
  readonly writer: Writer;
  /** Undefined where nothing is synced. */
  readonly sync: WalSync | undefined;
  readonly clock: Clock;
}

type OnReply = (message: FoundMessage) => void;

/**
 * Answers for instances that wait. An answer to an instance of this process never becomes a row: that instance ends with the process anyway; it is handed
 * over once its turn is on the disk. An answer to another process is a row that it reads and deletes.
 */
export class Replies {
  readonly #options: RepliesOptions;
  readonly #inboxes = new Map<string, OnReply>();
  #readTo = 0;
  #isReading = false;

  constructor(options: RepliesOptions) {
    this.#options = options;
  }

  /** Whether somebody here waits for answers. */
  get isAwaited(): boolean {
    return this.#inboxes.size > 0;
  }

  /** Whether a destination is a reply address. */
  isAddress(destination: string): boolean {
    return destination.startsWith(ADDRESS_PREFIX);
  }

  open(id: string, onReply: OnReply): ReplyInbox {
    const address = ADDRESS_PREFIX + id;
    this.#inboxes.set(address, onReply);
    return {
      address,
      close: async () => {
        if (!this.#inboxes.delete(address)) return;
        await this.#delete("address = ?", address);
      },
    };
  }

  /** Writes an answer, inside a turn. */
  append(turn: Turn, message: Outgoing, nowMs: number): void {
    const { envelope, headers, body, destination } = message;
    if (this.#inboxes.has(destination)) {
      const answer: FoundMessage = { envelope, headers, body: keepable(body) };
      turn.touch({ durable: () => this.#inboxes.get(destination)?.(answer) });
      return;
    }
    const expiresAt = envelope.expirytime === undefined ? nowMs + REPLY_KEPT_MS : Date.parse(envelope.expirytime);
    const sql = "insert into pr_replies (address, head, headers, body, expires_at) values (?, ?, ?, ?, ?)";
    this.#options.connection.run(sql, destination, headToColumn(envelope), headersToColumn(headers), body, expiresAt);
  }

  /** Others have written: there may be answers. */
  look(): void {
    if (this.#isReading || this.#inboxes.size === 0) return;
    const rows = this.#options.reader.all<ReplyRow>(
      "select sequence, address, head, headers, body from pr_replies where sequence > ? order by sequence limit 500",
      this.#readTo,
    );
    if (rows.length === 0) return;
    this.#readTo = rows.at(-1)!.sequence;
    const ours = rows.filter(({ address }) => this.#inboxes.has(address));
    if (ours.length === 0) return;
    this.#isReading = true;
    // They are visible, so a sync that begins now covers them, whoever wrote them.
    this.#afterSync(() => {
      this.#isReading = false;
      this.#handOver(
        ours.map((row) => [row.address, { envelope: headFromColumn(row.head), headers: headersFromColumn(row.headers), body: row.body }]),
      );
      void this.#delete("sequence in (select value from json_each(?))", JSON.stringify(ours.map(({ sequence }) => sequence)));
      this.look();
    });
  }

  /** Deletes what nobody came for. */
  async cleanUp(): Promise<void> {
    const { reader, clock } = this.#options;
    const nowMs = clock.now();
    if (reader.get("select 1 from pr_replies where expires_at < ? limit 1", nowMs) !== undefined)
      await this.#delete("expires_at < ?", nowMs);
  }

  #handOver(answers: readonly (readonly [string, FoundMessage])[]): void {
    for (const [address, message] of answers) this.#inboxes.get(address)?.(message);
  }

  #afterSync(then: () => void): void {
    const { sync } = this.#options;
    if (sync === undefined) then();
    else sync.barrier().then(then, () => undefined); // the file has said what is wrong
  }

  async #delete(where: string, parameter: string | number): Promise<void> {
    const { writer, connection } = this.#options;
    await write(writer, () => connection.run(`delete from pr_replies where ${where}`, parameter), { isVolatile: true }).catch(
      () => undefined,
    ); // they expire
  }
}

interface ReplyRow {
  readonly sequence: number;
  readonly address: string;
  readonly head: string | null;
  readonly headers: string | null;
  readonly body: string | Uint8Array;
}
