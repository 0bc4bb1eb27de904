import { backoffMs } from "../base/backoff.ts";
import type { BackoffOptions } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { fail, reasonOf } from "../base/errors.ts";
import type { PostriderError } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import { WakeLoop } from "../base/wake-loop.ts";
import type { ContractKind } from "../contracts/contract.ts";
import type { Logger } from "../ports/logger.ts";
import type { DeadLetter } from "../ports/dead-letters.ts";
import type { OutboxRow } from "../ports/outbox.ts";
import type { Store } from "../ports/store.ts";
import type { Outgoing } from "../envelope/envelope.ts";
import type { SendOutcome, Transport } from "../ports/transport.ts";
import { judge } from "./judge.ts";

/** What a relay stands on. */
export interface OutboxRelayOptions {
  readonly store: Store;
  /** Which rows it carries. */
  readonly kind: ContractKind;
  /** What carries them. @throws what says that it cannot be used now */
  readonly transport: () => Transport;
  /** Makes the letter of a message that can never be sent. */
  readonly letterOf: (neverSent: NeverSentRow) => DeadLetter;
  /** Called after the commit that gave a message up. */
  readonly onBuried?: (letter: DeadLetter) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Who claims: unique among all relays of the store. */
  readonly owner: string;
  /** The longest wait between two looks, in milliseconds. Default 250. */
  readonly pollMs?: number;
  /** The most rows per claim; fewer where they are large. Default 1000. */
  readonly batch?: number;
  /** How long one send may take, in milliseconds. Default 10 000. */
  readonly deadlineMs?: number;
}

/** A message that can never be sent, and why. */
export interface NeverSentRow {
  readonly message: Outgoing;
  readonly failure: { readonly code: string; readonly reason: string; readonly stack: string | undefined };
  /** Times that sending it was tried. */
  readonly attempts: number;
  readonly at: number;
}

/** Carries the rows of one kind, commands or events, from a store's outbox to their transport. */
export interface OutboxRelay {
  start(): void;
  /** Looks at once: rows were committed. */
  wake(): void;
  /** Lets the sends under way end, at most `drainMs` (default the send deadline). What was not sent stays in the outbox. May be called twice. */
  stop(drainMs?: number): Promise<void>;
}

// The longest wait is what a message still waits once a broker that was away answers again.
const BACKOFF: BackoffOptions = { firstMs: 200, factor: 2, maxMs: 2_000, jitter: 0.2 };
const BATCH_ROWS = 1000;
const BATCH_BYTES = 8 * 1024 * 1024; // of bodies: a claim is in memory as a whole, and so is the next one
const PROBE_ROWS = 10; // while nothing can be sent, this many are tried at a time: the others stay where they are
const LEASE_MARGIN_MS = 3_000; // a send that ends at its deadline must still find its rows leased when it marks them
const QUIET_MS = 60_000;

/**
 * Sends each outbox row once it is committed, oldest first.
 *
 * Delivery: at least once; a crash between send and mark repeats the row, under the same id. A row is done only on the transport's confirm.
 * Order: kept per destination and key, not across keys; a failing key holds up only itself. Where a transport confirms a message in spite
 * of a failed one of its key before it, both come again, in order. Concurrency: any number of relays, by the
 * store's leases; a dead one's rows are free again after its lease (`deadlineMs` and 3 s). While nothing can be sent, a few rows are tried now and then.
 * A row that can never be sent becomes an `unsent` dead letter in the transaction that removes it.
 * Stops: after the sends under way.
 */
export function outboxRelay(options: OutboxRelayOptions): OutboxRelay {
  return new StoreRelay(options);
}

class StoreRelay implements OutboxRelay {
  readonly #options: OutboxRelayOptions;
  readonly #pollMs: number;
  readonly #batch: number;
  readonly #deadlineMs: number;
  readonly #loop: WakeLoop;
  #stopListening: (() => void) | undefined;
  #quietUntilMs = -Infinity;
  /** Of a row's body, on average of the last claim. */
  #rowBytes = 1;
  /** Sends in a row of which nothing could be sent, and until when the next one waits. */
  #failedRounds = 0;
  #pausedUntilMs = -Infinity;

  constructor(options: OutboxRelayOptions) {
    this.#options = options;
    this.#pollMs = options.pollMs ?? 250;
    this.#batch = options.batch ?? BATCH_ROWS;
    this.#deadlineMs = options.deadlineMs ?? 10_000;
    this.#loop = new WakeLoop({ clock: options.clock, round: () => this.#round() });
  }

  start(): void {
    this.#stopListening ??= this.#options.store.outbox.onAppended((kind = this.#options.kind) => {
      if (kind === this.#options.kind) this.wake();
    });
    this.#loop.start();
  }

  wake(): void {
    this.#loop.wake();
  }

  async stop(drainMs: number = this.#deadlineMs): Promise<void> {
    this.#stopListening?.();
    this.#stopListening = undefined;
    const stopped = this.#loop.stop();
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.after(drainMs, resolve, { keepAlive: true });
      void stopped.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** Sends until a claim comes back less than full, the next rows while those before are under way. Never rejects. */
  async #round(): Promise<number> {
    const pauseMs = this.#pausedUntilMs - this.#options.clock.monotonicMs();
    if (pauseMs > 0) return pauseMs; // new rows wake the loop, and would find the transport as it was
    let before: Promise<boolean> | undefined;
    for (;;) {
      const claimed = await this.#claim();
      const sending = claimed === undefined ? undefined : this.#send(claimed.rows);
      const isWell = (await before) !== false;
      if (isWell && claimed?.isFull === true && this.#failedRounds === 0 && !this.#loop.isStopped) {
        before = sending;
        continue;
      }
      const isSent = (await sending) ?? false;
      if (this.#failedRounds > 0) return this.#pause();
      // Rows of keys that were under way may go now.
      if (!isWell || !isSent || this.#loop.isStopped || (claimed?.isFull === false && before === undefined)) return this.#pollMs;
      before = undefined;
    }
  }

  /** Undefined when the store fails. */
  async #claim(): Promise<{ readonly rows: readonly OutboxRow[]; readonly isFull: boolean } | undefined> {
    const { store, kind, owner } = this.#options;
    const most = Math.min(this.#batch, Math.max(PROBE_ROWS, Math.floor(BATCH_BYTES / this.#rowBytes)));
    const limit = this.#failedRounds > 0 ? PROBE_ROWS : most;
    try {
      const rows = await store.outbox.claim({ kind, limit, owner, leaseMs: this.#deadlineMs + LEASE_MARGIN_MS });
      if (rows.length > 0) this.#rowBytes = Math.max(1, rows.reduce((bytes, { message }) => bytes + message.body.length, 0) / rows.length);
      return { rows, isFull: rows.length === limit };
    } catch (error) {
      this.#noteFailing(error);
      return undefined;
    }
  }

  #pause(): number {
    const { clock, random } = this.#options;
    const pauseMs = backoffMs(BACKOFF, this.#failedRounds, random);
    this.#pausedUntilMs = clock.monotonicMs() + pauseMs;
    return pauseMs;
  }

  /** False when the store fails. Never rejects. */
  async #send(rows: readonly OutboxRow[]): Promise<boolean> {
    if (rows.length === 0) return true;
    try {
      this.#noteFailing(await this.#carry(rows));
      return true;
    } catch (error) {
      this.#noteFailing(error);
      return false;
    }
  }

  /** Returns one of the errors for which rows are sent again. */
  async #carry(rows: readonly OutboxRow[]): Promise<PostriderError | undefined> {
    const outcomes = await this.#outcomesOf(rows);
    const { done, again, poison } = judge(rows, outcomes);
    const { store, random } = this.#options;
    if (done.length > 0) await store.outbox.done(done);
    const nowMs = again.size > 0 || poison.length > 0 ? await store.now() : 0;
    for (const [attempts, group] of again) await store.outbox.giveBack(group, nowMs + backoffMs(BACKOFF, attempts + 1, random));
    for (const { row, error } of poison) await this.#bury(row, error, nowMs);
    const isAway = done.length === 0 && poison.length === 0;
    this.#failedRounds = isAway ? this.#failedRounds + 1 : 0;
    return outcomes.find((outcome) => outcome !== undefined && !poison.some(({ error }) => error === outcome));
  }

  async #outcomesOf(rows: readonly OutboxRow[]): Promise<readonly SendOutcome[]> {
    const { transport, kind } = this.#options;
    let name = `that of ${kind}s`;
    try {
      const own = transport();
      name = own.name;
      // A relay can die between send and mark, so the same id may come again from any row.
      const messages = rows.map(({ message }) => (message.mayRepeat ? message : { ...message, mayRepeat: true }));
      return await own.send(messages, { deadlineMs: this.#deadlineMs });
    } catch (cause) {
      // A rejection says that nothing was tried; so it says nothing of any one message, and condemns none.
      const error = fail("PR_TRANSPORT_FAILED", { transport: name, during: "send", detail: reasonOf(cause) }, { cause });
      return rows.map(() => error);
    }
  }

  async #bury(row: OutboxRow, error: PostriderError, at: number): Promise<void> {
    const { store, letterOf, onBuried, logger } = this.#options;
    const letter = letterOf({
      message: row.message,
      failure: { code: error.code, reason: error.message, stack: error.stack },
      attempts: row.attempts + 1,
      at,
    });
    if (!(await store.outbox.bury(row, letter))) return;
    logger.error(
      { err: error, service: store.service, contract: letter.contract, messageId: letter.messageId, deadLetterId: letter.id },
      "an outgoing message can never be sent; it is a dead letter now",
    );
    onBuried?.(letter);
  }

  /** Says that sending fails, not for every row and round. */
  #noteFailing(error: unknown): void {
    const { logger, store, clock } = this.#options;
    if (error === undefined || clock.monotonicMs() < this.#quietUntilMs) return;
    this.#quietUntilMs = clock.monotonicMs() + QUIET_MS;
    logger.warn({ err: error, service: store.service }, "outgoing messages could not be sent; they stay in the outbox and are sent again");
  }
}
