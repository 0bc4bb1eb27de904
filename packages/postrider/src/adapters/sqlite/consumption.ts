import type { Clock } from "../../base/clock.ts";
import { fail, isPostriderError } from "../../base/errors.ts";
import { listOf } from "../../base/list-of.ts";
import type { Consumption, ConsumptionStatus, Lane, Sink, Subscription } from "../../ports/transport.ts";
import { AckJob } from "./ack-job.ts";
import type { AckOwner } from "./ack-job.ts";
import type { Connection } from "./connection.ts";
import { consumptionStatus } from "./backlog.ts";
import type { DeliveryOwner, SqliteDelivery } from "./delivery.ts";
import type { LaneCursor } from "./lane-cursor.ts";
import { LaneSet } from "./lane-set.ts";
import type { Renewal } from "./lane-set.ts";
import type { Log, LogReader } from "./log.ts";
import { Outstanding } from "../../base/outstanding.ts";
import { Scan } from "./scan.ts";
import { LogDelivery } from "../../lanes/log-delivery.ts";
import type { LogMessage } from "../../lanes/log-delivery.ts";
import { write } from "./write-job.ts";
import type { Writer } from "./writer.ts";

/** What a consumption stands on. */
export interface ConsumptionOptions {
  readonly subscription: Subscription;
  readonly sink: Sink;
  readonly log: Log;
  readonly connection: Connection;
  readonly reader: Connection;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly leaseMs: number;
  /** Unique among all consumptions of all processes. */
  readonly member: string;
  readonly onClosed: (consumption: SqliteConsumption) => void;
}

// After a commit that failed (a full disk), acknowledgements try again.
const ACK_RETRY_MS = 250;

/** By lane: what one pass has found. */
type Batches = Map<LaneCursor<SqliteDelivery>, SqliteDelivery[]>;

/**
 * A running subscription: owns some lanes, reads the log for all of them in one scan, hands over in batches.
 *
 * States: *running*, *stopped* (nothing more is handed over), *closed* (the lanes are released).
 */
export class SqliteConsumption implements Consumption, DeliveryOwner, AckOwner, LogReader {
  readonly #options: ConsumptionOptions;
  readonly #outstanding: Outstanding;
  readonly #lanes: LaneSet;
  readonly #scans: readonly Scan[];
  #acks: AckJob | undefined;
  #isAwake = false;
  #isFull = false;
  #isPaused = false;
  #isStopped = false;
  #closing: Promise<void> | undefined;

  constructor(options: ConsumptionOptions) {
    const { subscription, log, reader } = options;
    this.#options = options;
    this.#outstanding = new Outstanding(subscription.prefetchCount, subscription.prefetchBytes);
    this.#scans = [new Scan(log, reader, subscription, true), new Scan(log, reader, subscription, false)];
    this.#lanes = new LaneSet({
      ...options,
      service: subscription.service,
      destination: subscription.destination.name,
      destinationId: log.id,
      outstanding: this.#outstanding,
      onRoom: () => (this.#isFull ? this.wake() : undefined),
      onLost: (cursor) => this.#lost(cursor),
    });
    log.addReader(this);
  }

  /** Whether it waits for lanes that others still have. */
  get isShort(): boolean {
    return this.#lanes.isShort && this.#closing === undefined;
  }

  /** The lanes that are ours, with their cursors. */
  get cursors(): Iterable<LaneCursor<SqliteDelivery>> {
    return this.#lanes.cursors;
  }

  /** Inside a turn: see {@link LaneSet.renew}. */
  renew(): Renewal {
    if (this.#closing !== undefined) {
      this.#lanes.extend();
      return { taken: [], surplus: [] };
    }
    const renewal = this.#lanes.renew();
    // Rows that nobody wanted move the cursor too, or the log could never be cut behind it.
    for (const cursor of this.#lanes.cursors) if (cursor.normal.isBehind || cursor.high.isBehind) this.#options.writer.turn!.touch(cursor);
    return renewal;
  }

  /** Acts on a renewal that is committed. */
  renewed({ taken, surplus }: Renewal): void {
    const { sink, clock } = this.#options;
    this.#lanes.admit(taken);
    for (const cursor of taken) void this.#start(cursor);
    for (const cursor of surplus) void cursor.windUp("rebalance", sink, clock).then(() => this.#release([cursor]));
  }

  pause(lane?: Lane): void {
    if (lane === undefined) this.#isPaused = true;
    const cursor = lane === undefined ? undefined : this.#lanes.get(lane.number);
    if (cursor !== undefined) cursor.isPaused = true;
  }

  resume(lane?: Lane): void {
    if (lane === undefined) this.#isPaused = false;
    for (const cursor of this.#lanes.cursors) if (lane === undefined || cursor.lane.number === lane.number) cursor.isPaused = false;
    this.wake();
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async inspect(): Promise<ConsumptionStatus> {
    const { stopped } = this.#options.writer;
    if (stopped !== undefined) throw stopped; // it reads on, but can finish nothing: that is no good health
    return consumptionStatus({ ...this.#options, cursors: [...this.#lanes.cursors] });
  }

  wake(): void {
    if (this.#isAwake || this.#isStopped || this.#isPaused || this.#lanes.size === 0) return;
    this.#isAwake = true;
    void this.#options.clock.yield().then(() => this.#pump());
  }

  readTo(isHigh: boolean): number {
    let least = Infinity;
    for (const cursor of this.#lanes.cursors) least = Math.min(least, (isHigh ? cursor.high : cursor.normal).fetchedTo);
    return least;
  }

  ack(delivery: SqliteDelivery): Promise<void> | undefined {
    if (delivery.cursor.state === "gone") return undefined;
    delivery.state = "settling";
    if (this.#acks === undefined) {
      this.#acks = new AckJob(this);
      this.#options.writer.enqueue(this.#acks);
    }
    // Taken before it is pushed: a writer that refuses has called `failed` already.
    const { deliveries, promise } = this.#acks;
    deliveries.push(delivery);
    return promise;
  }

  giveBack(delivery: SqliteDelivery): void {
    const { cursor } = delivery;
    if (cursor.state === "gone") return;
    this.#outstanding.remove(delivery.bytes);
    cursor.takeBack(delivery.again());
    this.wake();
  }

  assertOwned(delivery: SqliteDelivery): void {
    this.#lanes.assertOwned(delivery.cursor);
  }

  started(job: AckJob): void {
    if (this.#acks === job) this.#acks = undefined;
  }

  retry(job: AckJob): boolean {
    if (this.#acks === job) this.#acks = undefined;
    if (this.#closing !== undefined) return false;
    this.#options.clock.after(ACK_RETRY_MS, () => this.#options.writer.enqueue(job));
    return true;
  }

  #pump(): void {
    this.#isAwake = false;
    if (this.#isStopped || this.#isPaused) return;
    const flowing = [...this.#lanes.cursors].filter((cursor) => cursor.isFlowing);
    if (flowing.length === 0) return;
    this.#isFull = false;
    try {
      this.#handOver((batches) => this.#again(flowing, batches));
      for (const scan of this.#scans) if (!this.#isFull) this.#handOver((batches) => this.#scan(scan, flowing, batches));
      this.#options.log.passed();
    } catch (error) {
      this.#options.sink.onError(
        isPostriderError(error)
          ? error
          : fail("PR_TRANSPORT_FAILED", { transport: "sqlite", during: "a read", detail: String(error) }, { cause: error }),
      );
      this.#options.clock.after(ACK_RETRY_MS, () => this.wake());
    }
  }

  #handOver(read: (batches: Batches) => void): void {
    const batches: Batches = new Map();
    read(batches);
    for (const [cursor, batch] of batches) this.#options.sink.deliver(cursor.lane, batch);
  }

  /** What was given back, and what an earlier owner left open. */
  #again(flowing: readonly LaneCursor<SqliteDelivery>[], batches: Batches): void {
    for (const cursor of flowing) {
      while (cursor.returned.length > 0 && this.#outstanding.tryAdd(cursor.returned[0]!.bytes))
        add(batches, cursor, cursor.returned.shift()!);
      const scans = cursor.returned.length > 0 ? [] : this.#scans;
      if (!scans.every((scan) => scan.restore(cursor, (_, message) => this.#take(batches, cursor, message, scan, true))))
        this.#isFull = true;
      if (cursor.returned.length > 0) this.#isFull = true;
    }
  }

  #scan(scan: Scan, flowing: readonly LaneCursor<SqliteDelivery>[], batches: Batches): void {
    if (this.#outstanding.roomCount === 0) {
      this.#isFull = true;
      return;
    }
    const pass = scan.next(flowing, (cursor, message) => this.#take(batches, cursor, message, scan, false));
    if (pass === "full") this.#isFull = true;
    else if (pass === "more") this.wake();
  }

  #take(batches: Batches, cursor: LaneCursor<SqliteDelivery>, message: LogMessage, scan: Scan, isRestored: boolean): boolean {
    if (!this.#outstanding.tryAdd(message.bytes)) return false;
    const delivery = new LogDelivery<LaneCursor<SqliteDelivery>, DeliveryOwner>(message, cursor, scan.isHigh, this, isRestored);
    cursor.trackOf(scan).open.set(message.position, delivery);
    add(batches, cursor, delivery);
    return true;
  }

  async #start(cursor: LaneCursor<SqliteDelivery>): Promise<void> {
    if (await cursor.start(this.#options.sink)) return this.wake();
    this.#lanes.refuse(cursor.lane.number);
    return this.#release([cursor]);
  }

  /** What was acknowledged before is queued before, so nothing settled is handed over again. */
  async #release(cursors: readonly LaneCursor<SqliteDelivery>[]): Promise<void> {
    const { writer } = this.#options;
    const release = (): void => {
      for (const cursor of cursors) if (cursor.state !== "gone") cursor.release(writer.turn!);
    };
    await write(writer, release, { isVolatile: true }).catch(() => undefined); // at worst the leases run out
    for (const cursor of cursors) this.#lanes.forget(cursor);
  }

  async #close(): Promise<void> {
    const { sink, clock } = this.#options;
    this.#isStopped = true;
    const cursors = [...this.#lanes.cursors];
    // Others count themselves without us from now on, and take each lane once it is released.
    await write(this.#options.writer, () => this.#lanes.resign(), { isVolatile: true }).catch(() => undefined); // at worst it is counted until its lease is over
    await Promise.all(cursors.map((cursor) => cursor.windUp("closing", sink, clock)));
    await this.#release(cursors);
    this.#options.log.removeReader(this);
    this.#options.onClosed(this);
  }

  #lost(cursor: LaneCursor<SqliteDelivery>): void {
    // Not at once: this runs inside a turn, and the sink may do what it likes.
    void Promise.resolve().then(() => this.#options.sink.onRevoked(cursor.lane, "lost", 0));
  }
}

function add(batches: Batches, cursor: LaneCursor<SqliteDelivery>, delivery: SqliteDelivery): void {
  const batch = batches.get(cursor);
  if (batch === undefined) batches.set(cursor, listOf(delivery));
  else batch.push(delivery);
}
