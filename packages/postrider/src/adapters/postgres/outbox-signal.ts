import type { ContractKind } from "../../contracts/contract.ts";
import { lockOf } from "./locks.ts";
import { statement } from "./statement.ts";
import type { Statement } from "./statement.ts";
import type { PgListener } from "./listener.ts";

/** Tells a channel. */
export const NOTIFY: Statement = statement("select pg_notify($1, '')");

type OutboxListener = (kind?: ContractKind) => void;

/** What an outbox's signal stands on. */
export interface OutboxSignalOptions {
  readonly service: string;
  /** The schema, quoted. */
  readonly schema: string;
  readonly listener: PgListener;
  /** Sends a notification, in a transaction of its own. */
  readonly notify: (channel: string) => Promise<unknown>;
  /** Whether this process hands out the rows: then its own relays are all that need to hear. */
  readonly isLeading: () => boolean;
}

/**
 * Tells relays that rows may have come to one service's outbox.
 *
 * Those of this process hear it at once. Others are notified only where this process would not send the row itself, and never within the transaction that wrote it:
 * PostgreSQL lets only one transaction with a notification commit at a time, and would take from all of them what commits share.
 */
export class OutboxSignal {
  readonly #options: OutboxSignalOptions;
  /** What notifications go by. */
  readonly channel: string;
  readonly #listeners = new Set<OutboxListener>();
  #stopListening: (() => void) | undefined;
  #isNotifying = false;
  #isAgain = false;

  constructor(options: OutboxSignalOptions) {
    this.#options = options;
    this.channel = `postrider_outbox_${lockOf(options.schema, options.service).toString(16)}`;
  }

  /** Calls back when rows may have come; returns how to stop. */
  onAppended(listener: OutboxListener): () => void {
    const own: OutboxListener = (kind) => listener(kind); // a wrapper of its own: the same listener may come twice
    this.#listeners.add(own);
    this.#stopListening ??= this.#options.listener.listen(this.channel, () => this.tell());
    return () => {
      this.#listeners.delete(own);
      if (this.#listeners.size > 0) return;
      this.#stopListening?.();
      this.#stopListening = undefined;
    };
  }

  /** A transaction with outgoing rows was committed here. */
  appended(kinds: ReadonlySet<ContractKind>): void {
    for (const kind of kinds) this.tell(kind);
    if (this.#listeners.size === 0 || !this.#options.isLeading()) void this.#notify();
  }

  /** Rows have come that this process will send: of one kind, or of any. */
  tell(kind?: ContractKind): void {
    for (const listener of this.#listeners) listener(kind);
  }

  /** One at a time: what comes meanwhile is told by the next. A failure is silent, since relays also look by themselves. */
  async #notify(): Promise<void> {
    this.#isAgain = true;
    if (this.#isNotifying) return;
    this.#isNotifying = true;
    while (this.#isAgain) {
      this.#isAgain = false;
      await this.#options.notify(this.channel).catch(() => undefined);
    }
    this.#isNotifying = false;
  }
}
