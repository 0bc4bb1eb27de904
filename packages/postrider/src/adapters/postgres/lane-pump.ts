import type { Clock } from "../../base/clock.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Sink, Subscription } from "../../ports/transport.ts";
import type { PostgresDelivery } from "./delivery.ts";
import { LogDelivery } from "../../lanes/log-delivery.ts";
import type { Settler } from "../../lanes/log-delivery.ts";
import type { LaneCursor } from "./lane-cursor.ts";
import type { LogFeed } from "./log-feed.ts";
import type { StoredMessage } from "./log-message.ts";
import type { Outstanding } from "../../base/outstanding.ts";
import type { LogPlace } from "./log-place.ts";
import { Scan } from "./log-scan.ts";
import type { Take } from "./log-scan.ts";
import { wrapTransportError } from "./vendor-error.ts";

/** What a pump stands on. */
export interface LanePumpOptions {
  readonly subscription: Subscription;
  readonly sink: Sink;
  readonly log: LogPlace;
  readonly feed: LogFeed;
  readonly clock: Clock;
  readonly outstanding: Outstanding;
  readonly settler: Settler<PostgresDelivery>;
  /** The lanes that are ours now. */
  readonly cursors: () => Iterable<LaneCursor<PostgresDelivery>>;
  /** Whether our leases hold, by our own clock. */
  readonly hasLeases: () => boolean;
  readonly onError: (error: PostriderError) => void;
}

type Cursor = LaneCursor<PostgresDelivery>;

/** By lane: what one pass has found. */
type Batches = Map<Cursor, PostgresDelivery[]>;

const FAILED_MS = 250;
const RESTORE_ROWS = 256;

/**
 * Hands over what the lanes of a subscription have to give, as far as there is room.
 *
 * States: *idle* (waits to be woken), *pumping*, *stopped* (for good). A wake while it pumps means one more pass.
 */
export class LanePump {
  isPaused = false;
  readonly #options: LanePumpOptions;
  readonly #scans: readonly Scan[];
  #pumping: Promise<void> | undefined;
  #isWoken = false;
  #isFull = false;
  #isStopped = false;

  constructor(options: LanePumpOptions) {
    const { log, feed, subscription } = options;
    this.#options = options;
    this.#scans = [new Scan(log, feed, subscription, true), new Scan(log, feed, subscription, false)];
  }

  /** There may be something to hand over. */
  wake(): void {
    this.#isWoken = true;
    if (this.#pumping !== undefined || this.#isStopped || this.isPaused) return;
    this.#pumping = this.#pump().finally(() => {
      this.#pumping = undefined;
      if (this.#isWoken) this.wake();
    });
  }

  /** Something was settled: wakes it if that was what it waited for. */
  hasRoom(): void {
    if (this.#isFull) this.wake();
  }

  /** Lanes have come: what was read ahead may lack theirs. */
  forget(): void {
    for (const scan of this.#scans) scan.forget();
  }

  /** Hands over nothing more once this is called. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#pumping;
  }

  async #pump(): Promise<void> {
    while (this.#isWoken) {
      this.#isWoken = false;
      await this.#options.clock.yield();
      const flowing = [...this.#options.cursors()].filter((cursor) => this.#flows(cursor));
      if (flowing.length === 0 || !this.#options.hasLeases()) return;
      this.#isFull = false;
      try {
        await this.#pass(flowing);
      } catch (error) {
        this.#options.onError(wrapTransportError(error, "postgres", "a read"));
        this.#isWoken = false;
        this.#options.clock.after(FAILED_MS, () => this.wake());
        return;
      }
    }
  }

  async #pass(flowing: readonly Cursor[]): Promise<void> {
    if (flowing.some((cursor) => cursor.returned.length > 0)) this.#handOver((batches) => this.#again(flowing, batches));
    for (const cursor of flowing) for (const scan of this.#scans) await this.#restore(cursor, scan);
    for (const scan of this.#scans) {
      if (this.#isFull) return;
      await this.#scan(scan);
    }
    this.#options.feed.passed();
  }

  /** What was given back. */
  #again(flowing: readonly Cursor[], batches: Batches): void {
    for (const cursor of flowing) {
      while (cursor.returned.length > 0 && this.#options.outstanding.tryAdd(cursor.returned[0]!.bytes))
        add(batches, cursor, cursor.returned.shift()!);
      if (cursor.returned.length > 0) this.#isFull = true;
    }
  }

  /** What an earlier owner left open. */
  async #restore(cursor: Cursor, scan: Scan): Promise<void> {
    const track = cursor.trackOf(scan);
    while (track.restored.length > 0 && !this.#isFull && this.#flows(cursor)) {
      const chunk = track.restored.slice(0, RESTORE_ROWS);
      const messages = await scan.fetch(chunk);
      if (!this.#flows(cursor)) return;
      this.#handOver((batches) => {
        const take = this.#taking(batches, true);
        this.#isFull = !track.restore(chunk, messages, (message) => take(cursor, message));
      });
    }
  }

  async #scan(scan: Scan): Promise<void> {
    if (this.#options.outstanding.roomCount === 0) {
      this.#isFull = true;
      return;
    }
    // Looked up anew: lanes may have come and gone while something was awaited.
    const flowing = [...this.#options.cursors()].filter((cursor) => this.#flows(cursor));
    if (flowing.length === 0) return;
    const pass = this.#handOver((batches) => scan.next(flowing, this.#taking(batches, false)));
    if (pass === "full") this.#isFull = true;
    if (pass === "load") await scan.load();
    if (pass === "load" || pass === "more") this.#isWoken = true;
  }

  #handOver<Outcome>(read: (batches: Batches) => Outcome): Outcome {
    const batches: Batches = new Map();
    const outcome = read(batches);
    for (const [cursor, batch] of batches) this.#options.sink.deliver(cursor.lane, batch);
    return outcome;
  }

  #flows(cursor: Cursor): boolean {
    return cursor.isFlowing && !this.#isStopped && !this.isPaused;
  }

  #taking(batches: Batches, isRestored: boolean): Take {
    return (cursor, message: StoredMessage) => {
      if (!this.#options.outstanding.tryAdd(message.bytes)) return false;
      const delivery = new LogDelivery<Cursor, Settler<PostgresDelivery>>(
        message,
        cursor,
        message.isHigh,
        this.#options.settler,
        isRestored,
      );
      cursor.trackOf(message).open.set(message.position, delivery);
      add(batches, cursor, delivery);
      return true;
    };
  }
}

function add(batches: Batches, cursor: Cursor, delivery: PostgresDelivery): void {
  const batch = batches.get(cursor);
  if (batch === undefined) batches.set(cursor, [delivery]);
  else batch.push(delivery);
}
