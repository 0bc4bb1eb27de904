import { backoffMs } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { Consumption, ConsumptionStatus, Delivery, Lane, Sink, Subscription } from "../../ports/transport.ts";
import type { AckPulse } from "./ack-book.ts";
import { answerOf } from "./answer.ts";
import { closeChannel } from "./close-channel.ts";
import { countUnread } from "./inspect.ts";
import type { Link } from "./link.ts";
import { Membership } from "./membership.ts";
import { highQueue, laneQueue, subscriptionBase } from "./names.ts";
import { Tenure } from "./tenure.ts";
import type { TenureEnd, TenureHost } from "./tenure-host.ts";

const MAX_BATCH = 64; // of one lane before the next lane has its turn
const MAX_BURST = 1024; // messages handed over in microtasks before timers, input and output have a turn
const REFUSED_RETRY_MS = 1000; // before the lane is wanted again
const LOST_RETRY = { firstMs: 100, maxMs: 5000 }; // before a lane whose channel went is wanted again
const AWAY_RETRY_MS = 100; // while there is no connection
const MAX_PASSES = 2; // of one lane in a row: nobody else seems to want it
const HEAL_AFTER_COUNTS = 5; // with less than the fair share, before batons are made anew
const MAX_PREFETCH = 65_535; // AMQP 0-9-1: a short

/** What a consumption is made of. */
export interface ConsumptionOptions {
  readonly subscription: Subscription;
  /** Read this queue instead of the subscription's own: somebody else's, of any kind. Every process reads it, and nobody owns a lane. */
  readonly plainQueue: string | undefined;
  readonly sink: Sink;
  readonly link: Link;
  readonly clock: Clock;
  /** Shared by all that read from the link. */
  readonly pulse: AckPulse;
  readonly random: Random;
  readonly revokeMs: number;
  readonly rebalanceMs: number;
  /** Before the broker's limit for messages that are not settled, in milliseconds. */
  readonly batonRefreshMs: number;
  /** Puts a baton into a lane's high queue. */
  readonly putBaton: (queue: string, epoch: number) => void;
  readonly onClosed: (consumption: RabbitConsumption) => void;
}

/** A running subscription: is in line for every lane, keeps its fair share of them, and hands over what they have within its prefetch limits. */
export class RabbitConsumption implements Consumption {
  readonly #options: ConsumptionOptions;
  readonly #host: TenureHost;
  readonly #base: string;
  readonly #lanes: number;
  readonly #tenures: Tenure[] = [];
  readonly #passes: number[] = [];
  readonly #losses: number[] = [];
  readonly #batonAt: number[] = [];
  readonly #membership: Membership;
  readonly #forget: () => void;
  readonly #pausedLanes = new Set<number>();
  #members = 1;
  #countsBelowShare = 0;
  #isPaused = false;
  #isStopped = false;
  #isClosing: Promise<void> | undefined;
  #isWoken = false;
  #isFull = false;
  #burst = 0;
  #firstLane = 0;
  #outCount = 0;
  #outBytes = 0;

  constructor(options: ConsumptionOptions) {
    this.#options = options;
    const { subscription, link, clock, pulse, sink, revokeMs, rebalanceMs } = options;
    this.#base = subscriptionBase(subscription);
    const { plainQueue } = options;
    const lanes = plainQueue === undefined ? subscription.destination.lanes : 1;
    this.#lanes = lanes;
    this.#host = {
      link,
      clock,
      pulse,
      sink,
      subscription,
      normalQueue: (lane) => plainQueue ?? laneQueue(this.#base, lane),
      highQueue: (lane) => (plainQueue === undefined ? highQueue(this.#base, lane) : undefined),
      lanePrefetch: Math.min(
        MAX_PREFETCH - 1,
        subscription.prefetchCount,
        Math.max(1, Math.ceil((2 * subscription.prefetchCount) / lanes)),
      ),
      laneBytes: Math.ceil(subscription.prefetchBytes / lanes),
      revokeMs,
      mayTake: () => this.#mayTake(),
      wake: () => this.wake(),
      released: (count, bytes) => this.#released(count, bytes),
      ended: (lane, end) => this.#ended(lane, end),
    };
    this.#membership = new Membership({
      link,
      clock,
      base: this.#base,
      everyMs: rebalanceMs,
      onCount: (members) => this.#counted(members),
    });
    this.#forget = link.listen({ opened: () => this.#reconnected(), lost: () => undefined });
  }

  /** Gets in line for all lanes. */
  async start(): Promise<void> {
    if (this.#options.plainQueue === undefined) this.#membership.start();
    await Promise.all(Array.from({ length: this.#lanes }, (_, number) => this.#join(number)));
  }

  pause(lane?: Lane): void {
    if (lane === undefined) this.#isPaused = true;
    else this.#pausedLanes.add(lane.number);
  }

  resume(lane?: Lane): void {
    if (lane === undefined) {
      this.#isPaused = false;
      this.#pausedLanes.clear();
    } else {
      this.#pausedLanes.delete(lane.number);
    }
    this.wake();
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#isClosing ??= this.#close();
    return this.#isClosing;
  }

  async inspect(): Promise<ConsumptionStatus> {
    const own = this.#tenures.filter(({ lane }) => lane !== undefined);
    let backlog = own.reduce((sum, { unsettled }) => sum + unsettled, 0);
    const channel = await this.#options.link.channel();
    try {
      for (const { number } of own) {
        const queues = [this.#host.normalQueue(number), this.#host.highQueue(number)].filter((queue) => queue !== undefined);
        const asked = queues.map((queue) => channel.checkQueue(queue));
        const counts = await answerOf(this.#options.clock, "inspect", Promise.all(asked));
        backlog += counts.reduce((sum, { messageCount }) => sum + messageCount, 0);
      }
    } finally {
      void closeChannel(this.#options.clock, channel);
    }
    const unowned = await this.#unowned();
    return { lanes: own.map(({ lane }) => lane!), backlog, lagSeconds: backlog === 0 ? 0 : undefined, unowned };
  }

  /** Lanes with messages that no process reads: whoever owns a lane is a consumer of its queue. */
  async #unowned(): Promise<number> {
    if (this.#options.plainQueue !== undefined) return 0;
    const others = this.#tenures.filter(({ lane }) => lane === undefined).map(({ number }) => laneQueue(this.#base, number));
    return countUnread(this.#options.link, others);
  }

  /** Ends as the death of its process would. */
  abandon(): void {
    this.#isStopped = true;
    this.#isClosing ??= Promise.resolve();
    this.#forget();
    this.#membership.abandon();
    for (const tenure of this.#tenures) tenure.abandon();
  }

  wake(): void {
    if (this.#isWoken || this.#isStopped || this.#isPaused) return;
    this.#isWoken = true;
    if (this.#burst < MAX_BURST) return queueMicrotask(this.#pump);
    this.#burst = 0;
    void this.#options.clock.yield().then(this.#pump);
  }

  readonly #pump = (): void => {
    this.#isWoken = false;
    this.#isFull = false;
    if (this.#isStopped || this.#isPaused) return;
    const first = this.#firstLane++ % this.#tenures.length;
    let hasMore = false;
    for (let at = 0; at < this.#tenures.length && !this.#isFull; at++) {
      const tenure = this.#tenures[(first + at) % this.#tenures.length]!;
      const { lane } = tenure;
      if (lane === undefined || this.#pausedLanes.has(lane.number)) continue;
      const batch = this.#takeFrom(tenure);
      hasMore ||= batch.length === MAX_BATCH;
      if (batch.length > 0) this.#options.sink.deliver(lane, batch);
    }
    if (hasMore && !this.#isFull) this.wake();
  };

  #takeFrom(tenure: Tenure): Delivery[] {
    const { prefetchCount, prefetchBytes } = this.#options.subscription;
    const batch: Delivery[] = [];
    while (batch.length < MAX_BATCH) {
      const next = tenure.peek();
      if (next === undefined) break;
      const { bytes } = next.found;
      if (this.#outCount >= prefetchCount || (this.#outCount > 0 && this.#outBytes + bytes > prefetchBytes)) {
        this.#isFull = true;
        break;
      }
      this.#outCount++;
      this.#outBytes += bytes;
      batch.push(tenure.take());
    }
    this.#burst += batch.length;
    return batch;
  }

  #released(count: number, bytes: number): void {
    const wasFull = this.#isFull;
    this.#outCount -= count;
    this.#outBytes -= bytes;
    if (wasFull) this.wake();
  }

  #counted(members: number): void {
    this.#members = members;
    const { batonRefreshMs, clock, putBaton } = this.#options;
    const nowMs = clock.monotonicMs();
    const held = this.#tenures.filter(({ holds }) => holds);
    for (const tenure of held.slice(this.#share())) void tenure.leave("rebalance");
    for (const { number, epoch } of held) {
      if (nowMs - (this.#batonAt[number] ?? 0) < batonRefreshMs) continue;
      this.#batonAt[number] = nowMs;
      putBaton(highQueue(this.#base, number), epoch + 1);
    }
    this.#heal(held.length);
  }

  /** Somebody may have emptied the queues, batons included. One more does no harm: who has one already drops it. */
  #heal(held: number): void {
    const least = Math.floor(this.#lanes / this.#members);
    this.#countsBelowShare = held < least ? this.#countsBelowShare + 1 : 0;
    if (this.#countsBelowShare < HEAL_AFTER_COUNTS) return;
    this.#countsBelowShare = 0;
    for (const { number, isWaiting } of this.#tenures) if (isWaiting) this.#options.putBaton(highQueue(this.#base, number), 1);
  }

  /** The most lanes that are ours while others are in line. */
  #share(): number {
    return Math.ceil(this.#lanes / this.#members);
  }

  #mayTake(): boolean {
    return this.#tenures.filter(({ holds }) => holds).length < this.#share();
  }

  #ended(number: number, end: TenureEnd): void {
    if (this.#isClosing !== undefined) return;
    const { clock } = this.#options;
    this.#passes[number] = end === "passed" ? (this.#passes[number] ?? 0) + 1 : 0;
    if (end === "passed" && this.#passes[number] > MAX_PASSES) {
      this.#members = 1; // nobody takes it: until the next count it is as if we were alone
      this.#passes[number] = 0;
    }
    if (end === "refused") clock.after(REFUSED_RETRY_MS, () => void this.#join(number));
    else if (end === "lost") clock.after(this.#lostRetryMs(number), () => void this.#join(number), { keepAlive: true });
    else void this.#join(number);
  }

  #reconnected(): void {
    this.#losses.length = 0;
    this.#membership.wake(); // does nothing where it was not started
  }

  /** Grows while a lane is lost again and again on one connection. */
  #lostRetryMs(number: number): number {
    const losses = (this.#losses[number] = (this.#losses[number] ?? 0) + 1);
    return backoffMs(LOST_RETRY, losses, this.#options.random);
  }

  async #join(number: number): Promise<void> {
    if (this.#isClosing !== undefined) return;
    const { link, clock } = this.#options;
    if (!link.isOpen) return void clock.after(AWAY_RETRY_MS, () => void this.#join(number), { keepAlive: true });
    const tenure = new Tenure(this.#host, number);
    this.#tenures[number] = tenure;
    this.#batonAt[number] = clock.monotonicMs();
    await tenure.start();
  }

  async #close(): Promise<void> {
    this.#isStopped = true;
    this.#forget();
    await Promise.all(this.#tenures.map((tenure) => tenure.leave("closing")));
    await this.#membership.close();
    this.#options.onClosed(this);
  }
}
