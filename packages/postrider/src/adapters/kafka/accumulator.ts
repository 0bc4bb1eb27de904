import { backoffMs } from "../../base/backoff.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import { PositionMap } from "../../base/position-map.ts";
import type { Random } from "../../base/random.ts";
import { PartQueue } from "./part-queue.ts";
import type { Waiting } from "./part-queue.ts";
import { isFatal, isRefusal, isUnknownProducer, isWritten, refusalOf } from "./produce-outcome.ts";
import type { SendCall } from "./send-call.ts";
import { wrapKafkaError } from "./vendor-error.ts";

/** Who writes what an accumulator has merged. */
export interface BatchSink {
  /** The broker that leads a partition; -1 where none does. */
  leaderOf(topic: string, partition: number): number;
  /** Sends the batches of parts to a broker, once; resolves with Kafka's code for each part that was answered. */
  write(node: number, parts: readonly PartQueue[]): Promise<ReadonlyMap<string, number>>;
  /** The leader of a topic's partitions may have moved. */
  refresh(topic: string): void;
  /** The brokers have forgotten us: the next batch needs another identity. */
  renewIdentity(): void;
}

/** What an accumulator is made with. */
export interface AccumulatorOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly sink: BatchSink;
  /** How long to wait for company, in milliseconds; 0 merges what one turn of the event loop sends. */
  readonly lingerMs: number;
  /** Under way to one broker at a time. */
  readonly maxRequests: number;
  readonly maxRequestMessages: number;
  readonly maxRequestBytes: number;
  /** The most of one partition in one request: a broker refuses larger batches. */
  readonly maxBatchBytes: number;
}

const SWEEP_MS = 100;
const RETRY = { firstMs: 50, maxMs: 1000 };
const NO_ANSWER = -1;

/**
 * Merges sends into requests: those of one turn, and those that come while a request is under way; and sends again until there is an answer.
 *
 * Order: per partition, in the order of the calls: a partition has one batch on its way at a time, and the next only when that is settled.
 * Delivery: what is not confirmed by its deadline is told so, and may still arrive if it was under way. A batch sent again is the same for the broker.
 */
export class Accumulator {
  readonly #options: AccumulatorOptions;
  readonly #parts = new Map<string, (PartQueue | undefined)[]>();
  /** Parts with something to send that have nothing under way, oldest first. */
  readonly #ready = new Set<PartQueue>();
  /** By the order of their coming. */
  readonly #calls = new PositionMap<SendCall>();
  /** Requests under way, by broker. */
  readonly #requests = new Map<number, number>();
  #lastNumber = 0;
  #isScheduled = false;
  #isClosed = false;
  #sweep: Timer | undefined;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(options: AccumulatorOptions) {
    this.#options = options;
  }

  /** Takes a message. The call must be handed to {@link track} when all of its messages are in. */
  push(topic: string, partition: number, waiting: Waiting): void {
    let parts = this.#parts.get(topic);
    if (parts === undefined) this.#parts.set(topic, (parts = []));
    const part = (parts[partition] ??= new PartQueue(topic, partition));
    part.push(waiting);
    if (!part.isBusy) this.#ready.add(part);
  }

  /** Sends what was taken, and watches over the call's deadline. */
  track(call: SendCall): void {
    if (call.isOver) return;
    call.number = ++this.#lastNumber;
    this.#calls.set(call.number, call);
    this.#sweep ??= this.#options.clock.after(SWEEP_MS, () => this.#sweepCalls());
    this.#schedule();
  }

  /** Resolves once no call is open. */
  flush(): Promise<void> {
    if (this.#dropOver() === 0) return Promise.resolve();
    this.#idle ??= Promise.withResolvers<void>();
    return this.#idle.promise;
  }

  /** Ends all calls: nothing more will be sent. What is under way may still arrive. */
  abandon(error: PostriderError): void {
    this.#isClosed = true;
    for (const call of this.#calls.values()) this.#expire(call, error);
    this.#dropOver();
    this.#ready.clear();
    this.#sweep?.cancel();
    this.#idle?.resolve();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isClosed) return;
    this.#isScheduled = true;
    const { clock, lingerMs } = this.#options;
    if (lingerMs > 0) clock.after(lingerMs, () => this.#dispatch());
    else void clock.yield().then(() => this.#dispatch());
  }

  #dispatch(): void {
    this.#isScheduled = false;
    for (const part of this.#ready) {
      const node = this.#options.sink.leaderOf(part.topic, part.partition);
      if ((this.#requests.get(node) ?? 0) >= this.#options.maxRequests) continue;
      const taken = this.#take(node);
      if (taken.length > 0) void this.#request(node, taken);
    }
  }

  /** The next request to a broker: whole parts, oldest first, as much of each as fits. */
  #take(node: number): PartQueue[] {
    const { maxRequestMessages, maxRequestBytes, maxBatchBytes, sink } = this.#options;
    const taken: PartQueue[] = [];
    let count = 0;
    let bytes = 0;
    for (const part of this.#ready) {
      if (count >= maxRequestMessages || bytes >= maxRequestBytes) break;
      if (sink.leaderOf(part.topic, part.partition) !== node) continue;
      this.#ready.delete(part);
      part.take(maxRequestMessages - count, maxBatchBytes);
      if (!part.isBusy) continue; // all of it was past its deadline
      taken.push(part);
      count += part.batch.length;
      bytes += part.batchBytes;
    }
    return taken;
  }

  async #request(node: number, parts: readonly PartQueue[]): Promise<void> {
    this.#requests.set(node, (this.#requests.get(node) ?? 0) + 1);
    try {
      const codes = await this.#options.sink.write(node, parts);
      for (const part of parts) this.#answered(part, codes.get(part.name) ?? NO_ANSWER);
    } catch (error) {
      for (const part of parts) this.#broken(part, error);
    }
    this.#requests.set(node, this.#requests.get(node)! - 1);
    if (this.#ready.size > 0) this.#schedule();
    if (this.#idle !== undefined) this.#dropOver();
  }

  #answered(part: PartQueue, code: number): void {
    if (isWritten(code)) return this.#settled(part, true, () => undefined);
    if (isRefusal(code)) return this.#refused(part, code);
    const error = fail("PR_TRANSPORT_FAILED", {
      transport: "kafka",
      during: "send",
      detail: `${part.topic} answers with Kafka code ${code}`,
    });
    if (isFatal(code)) return this.#settled(part, false, () => error);
    if (isUnknownProducer(code)) {
      part.unsign();
      this.#options.sink.renewIdentity();
    }
    this.#again(part);
  }

  #broken(part: PartQueue, error: unknown): void {
    const wrapped = wrapKafkaError(error, "send");
    if ((error as { code?: unknown } | null)?.code === "PLT_KFK_AUTHENTICATION") this.#settled(part, false, () => wrapped);
    else this.#again(part);
  }

  #refused(part: PartQueue, code: number): void {
    if (part.batch.length > 1) {
      part.splitBatch();
      this.#ready.add(part);
    } else this.#settled(part, false, (waiting) => refusalOf(waiting, code, this.#options.maxBatchBytes));
  }

  #settled(part: PartQueue, wasWritten: boolean, outcomeOf: (waiting: Waiting) => PostriderError | undefined): void {
    for (const waiting of part.batch) {
      waiting.call.settle(waiting.at, outcomeOf(waiting));
      // At once: what it still knows of its messages would grow old until the next sweep.
      if (waiting.call.isOver) this.#calls.delete(waiting.call.number);
    }
    if (part.end(wasWritten)) this.#ready.add(part);
  }

  /** Sends the batch again after a while, unless nobody waits for it any more. */
  #again(part: PartQueue): void {
    const { clock, random, sink } = this.#options;
    if (!part.batch.some(({ call, at }) => call.isOpen(at))) {
      // Whether it was written nobody knows, so neither does the next batch its number.
      sink.renewIdentity();
      part.unsign();
      if (part.end(false)) this.#ready.add(part);
      return;
    }
    part.failures++;
    sink.refresh(part.topic);
    clock.after(backoffMs(RETRY, part.failures, random), () => {
      if (this.#isClosed) return;
      this.#ready.add(part);
      this.#schedule();
    });
  }

  #sweepCalls(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const call of this.#calls.values()) if (!call.isOver && call.endsAtMs <= nowMs) this.#expire(call, unsent(call));
    this.#sweep = this.#dropOver() === 0 ? undefined : this.#options.clock.after(SWEEP_MS, () => this.#sweepCalls());
  }

  #expire(call: SendCall, unsent: PostriderError): void {
    const underWay = [...this.#parts.values()].flat().flatMap((part) => part?.batch.filter((waiting) => waiting.call === call) ?? []);
    const unknown = fail("PR_OUTCOME_UNKNOWN", { transport: "kafka", count: underWay.length, deadlineMs: call.deadlineMs });
    for (const { at } of underWay) call.settle(at, unknown);
    call.settleRest(unsent);
  }

  /** Forgets calls that are over; how many are left. */
  #dropOver(): number {
    for (const call of this.#calls.values()) if (call.isOver) this.#calls.delete(call.number);
    if (this.#calls.size === 0) {
      this.#idle?.resolve();
      this.#idle = undefined;
    }
    return this.#calls.size;
  }
}

function unsent({ deadlineMs }: SendCall): PostriderError {
  const detail = `no broker took it within ${deadlineMs} ms; it was not sent`;
  return fail("PR_TRANSPORT_FAILED", { transport: "kafka", during: "send", detail });
}
