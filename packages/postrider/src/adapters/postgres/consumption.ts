import type { Clock } from "../../base/clock.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Consumption, ConsumptionStatus, Lane, Sink, Subscription } from "../../ports/transport.ts";
import type { Settler } from "../../lanes/log-delivery.ts";
import type { PostgresDelivery } from "./delivery.ts";
import type { LaneCommits } from "./lane-commits.ts";
import type { LaneCursor } from "./lane-cursor.ts";
import { LanePump } from "./lane-pump.ts";
import { LaneSet } from "./lane-set.ts";
import { consumptionStatus } from "./log-backlog.ts";
import type { LogFeed, LogReader } from "./log-feed.ts";
import { Outstanding } from "../../base/outstanding.ts";
import type { LogPlace } from "./log-place.ts";
import { within } from "./log-within.ts";
import { wrapTransportError } from "./vendor-error.ts";

/** What a consumption stands on. */
export interface ConsumptionOptions {
  readonly subscription: Subscription;
  readonly sink: Sink;
  readonly log: LogPlace;
  readonly feed: LogFeed;
  readonly commits: LaneCommits;
  readonly clock: Clock;
  readonly leaseMs: number;
  /** Unique among all consumptions of all processes. */
  readonly member: string;
  readonly backend: () => number;
  /** Whether other processes read here too. */
  readonly onRivals: (hasRivals: boolean) => void;
  readonly onClosed: (consumption: PostgresConsumption) => void;
}

type Cursor = LaneCursor<PostgresDelivery>;

// How long the last settlings may take before a lane is let go without them.
const WRITE_MS = 5000;

/**
 * A running subscription: owns some lanes, reads the log for all of them in one scan, hands over in batches.
 *
 * States: *running*, *stopped* (nothing more is handed over), *closed* (the lanes are released).
 */
export class PostgresConsumption implements Consumption, Settler<PostgresDelivery>, LogReader {
  readonly #options: ConsumptionOptions;
  readonly #outstanding: Outstanding;
  readonly #lanes: LaneSet;
  readonly #pump: LanePump;
  #hasFailed = false;
  #isRenewing = false;
  #renewedAtMs = -Infinity;
  #closing: Promise<void> | undefined;

  constructor(options: ConsumptionOptions) {
    const { subscription, feed } = options;
    this.#options = options;
    this.#outstanding = new Outstanding(subscription.prefetchCount, subscription.prefetchBytes);
    this.#lanes = new LaneSet({
      ...options,
      place: options.log,
      service: subscription.service,
      destination: feed.destination,
      outstanding: this.#outstanding,
      onRoom: () => this.#pump.hasRoom(),
      onLost: (cursor) => void options.sink.onRevoked(cursor.lane, "lost", 0),
    });
    this.#pump = new LanePump({
      ...options,
      outstanding: this.#outstanding,
      settler: this,
      cursors: () => this.#lanes.cursors,
      hasLeases: () => this.#hasLeases,
      onError: (error) => this.failed(error),
    });
    feed.addReader(this);
  }

  /** How often its leases must be renewed now, in milliseconds: sooner while it waits for lanes that others still have. */
  get renewEveryMs(): number {
    return this.#lanes.isShort && this.#closing === undefined ? this.#options.leaseMs / 40 : this.#options.leaseMs / 8;
  }

  /** Renews the leases, if it is time. Never rejects. */
  async tick(isNow: boolean = false): Promise<void> {
    const startedMs = this.#options.clock.monotonicMs();
    if (this.#isRenewing || (!isNow && startedMs - this.#renewedAtMs < this.renewEveryMs)) return;
    this.#isRenewing = true;
    try {
      if (this.#closing === undefined) await this.#renew();
      else await this.#lanes.extend();
      const wasOver = !this.#hasLeases;
      this.#renewedAtMs = startedMs;
      this.#hasFailed = false;
      if (wasOver) this.wake();
    } catch (error) {
      if (!this.#hasFailed) this.failed(wrapTransportError(error, "postgres", "a renewal of leases")); // once per outage
      this.#hasFailed = true;
    } finally {
      this.#isRenewing = false;
    }
  }

  pause(lane?: Lane): void {
    if (lane === undefined) this.#pump.isPaused = true;
    const cursor = lane === undefined ? undefined : this.#lanes.get(lane.number);
    if (cursor !== undefined) cursor.isPaused = true;
  }

  resume(lane?: Lane): void {
    if (lane === undefined) this.#pump.isPaused = false;
    for (const cursor of this.#lanes.cursors) if (lane === undefined || cursor.lane.number === lane.number) cursor.isPaused = false;
    this.wake();
  }

  stop(): Promise<void> {
    return this.#pump.stop();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Ends without releasing anything, as the death of the process would. */
  abandon(): void {
    void this.#pump.stop();
    this.#closing = Promise.resolve();
    for (const cursor of this.#lanes.cursors) this.#lanes.forget(cursor);
    this.#options.feed.removeReader(this);
  }

  inspect(): Promise<ConsumptionStatus> {
    return consumptionStatus({ ...this.#options, cursors: [...this.#lanes.cursors] });
  }

  wake(): void {
    if (this.#lanes.size > 0) this.#pump.wake();
  }

  failed(error: PostriderError): void {
    this.#options.sink.onError(error);
  }

  readTo(isHigh: boolean): number {
    let least = Infinity;
    for (const cursor of this.#lanes.cursors) least = Math.min(least, (isHigh ? cursor.high : cursor.normal).fetchedTo);
    return least;
  }

  ack(delivery: PostgresDelivery): Promise<void> | undefined {
    if (delivery.cursor.state === "gone") return undefined;
    const acked = this.#options.commits.ack(delivery);
    acked.catch(() => undefined); // nobody has to wait for it
    return acked;
  }

  giveBack(delivery: PostgresDelivery): void {
    const { cursor } = delivery;
    if (cursor.state === "gone") return;
    this.#outstanding.remove(delivery.bytes);
    cursor.takeBack(delivery.again());
    this.wake();
  }

  /** A settling failed for this lane: it is another's. */
  lose(cursor: Cursor): boolean {
    if (this.#lanes.get(cursor.lane.number) !== cursor) return false;
    this.#lanes.lose(cursor);
    return true;
  }

  /** Whether this is one of its lanes. */
  has(cursor: Cursor): boolean {
    return this.#lanes.get(cursor.lane.number) === cursor;
  }

  /** By our own clock, counted from before the renewal: a process that was frozen must not hand over what is another's by now. */
  get #hasLeases(): boolean {
    return this.#options.clock.monotonicMs() - this.#renewedAtMs < this.#options.leaseMs;
  }

  async #renew(): Promise<void> {
    const { sink, clock } = this.#options;
    const { taken, surplus, hasRivals } = await this.#lanes.renew();
    this.#options.onRivals(hasRivals);
    if (taken.length > 0) this.#pump.forget();
    for (const cursor of taken) void this.#start(cursor);
    for (const cursor of surplus) void cursor.windUp("rebalance", sink, clock).then(() => this.#release([cursor]));
    for (const cursor of this.#lanes.cursors) if (cursor.isBehind) this.#options.commits.move(cursor);
  }

  async #start(cursor: Cursor): Promise<void> {
    if (await cursor.start(this.#options.sink)) return this.wake();
    this.#lanes.refuse(cursor.lane.number);
    return this.#release([cursor]);
  }

  /** Cursors are written before, so nothing settled is handed over again; what was acknowledged goes with that. */
  async #release(cursors: readonly Cursor[]): Promise<void> {
    for (const cursor of cursors) if (cursor.state !== "gone") this.#options.commits.move(cursor);
    // While the database is away the leases run out by themselves; what was settled and not written comes again.
    await within(this.#options.clock, WRITE_MS, this.#options.commits.settled());
    await this.#lanes.release(cursors);
  }

  async #close(): Promise<void> {
    const { sink, clock } = this.#options;
    await this.stop();
    const cursors = [...this.#lanes.cursors];
    // Others count themselves without us from now on, and take each lane once it is released.
    await this.#lanes.resign().catch(() => undefined); // at worst it is counted until its lease is over
    await Promise.all(cursors.map((cursor) => cursor.windUp("closing", sink, clock)));
    await this.#release(cursors);
    this.#options.feed.removeReader(this);
    this.#options.onClosed(this);
  }
}
