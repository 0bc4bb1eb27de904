import type { Clock } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import { listOf } from "../../base/list-of.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import type { Consumption, ConsumptionStatus, Lane, Sink, Subscription } from "../../ports/transport.ts";
import { Commits } from "./commits.ts";
import { KafkaDelivery } from "./delivery.ts";
import type { OwnedLane, Settler } from "./delivery.ts";
import { Fetcher } from "./fetcher.ts";
import type { FetchTarget } from "./fetch-request.ts";
import type { FetchReader } from "./fetcher.ts";
import type { FetchedPart, FetchPool } from "./fetch-pool.ts";
import { GroupMember } from "./group-member.ts";
import type { GroupTiming } from "./group-member.ts";
import { LaneKeeper } from "./lane-keeper.ts";
import { laneStarts } from "./lane-starts.ts";
import { EARLIEST, LATEST, offsetsAt } from "./offsets.ts";
import { Outstanding } from "../../base/outstanding.ts";
import { withOrigin } from "./origin.ts";
import { decodeRecord, typeOfRecord } from "./record-reader.ts";
import type { DecodedRecord } from "./record-reader.ts";
import type { RawRecord } from "./batch-reader.ts";
import type { Topic, TopicDirectory } from "./topic-directory.ts";
import type { KafkaConnection, KafkaModule, VendorAdmin } from "./vendor.ts";
import { wrapKafkaError } from "./vendor-error.ts";

/** What a consumption stands on. */
export interface ConsumptionOptions {
  readonly kafka: KafkaModule;
  readonly admin: VendorAdmin;
  readonly connection: KafkaConnection;
  readonly clock: Clock;
  readonly random: Random;
  readonly topics: TopicDirectory;
  readonly pool: FetchPool;
  readonly topic: Topic;
  readonly groupId: string;
  readonly subscription: Subscription;
  readonly sink: Sink;
  readonly timing: GroupTiming;
  readonly commitIntervalMs: number;
  readonly instanceId: string | undefined;
  /** Whether messages know where they were read. */
  readonly keepsOrigin: boolean;
  readonly onClosed: (consumption: KafkaConsumption) => void;
}

const INSPECT_WITHIN_MS = 2000;
const MAX_PER_TURN = 500; // of one lane, before the others have theirs

/**
 * A running subscription: a member of a group, a fetch loop, and a lane for each partition that is ours.
 *
 * States: *running*, *stopped* (nothing more is handed over), *closed* (the lanes are released).
 */
export class KafkaConsumption implements Consumption, Settler, FetchReader {
  readonly #options: ConsumptionOptions;
  readonly #types: ReadonlySet<string> | undefined;
  readonly #outstanding: Outstanding;
  readonly #member: GroupMember;
  readonly #keeper: LaneKeeper;
  readonly #commits: Commits;
  readonly #fetcher: Fetcher;
  #isAwake = false;
  #isFull = false;
  #isPaused = false;
  #isStopped = false;
  #turn = 0;
  #closing: Promise<void> | undefined;

  constructor(options: ConsumptionOptions) {
    const { kafka, subscription, sink, topic, timing, commitIntervalMs } = options;
    this.#options = options;
    this.#types = subscription.types && new Set(subscription.types);
    this.#outstanding = new Outstanding(subscription.prefetchCount, subscription.prefetchBytes);
    this.#keeper = new LaneKeeper({
      ...options,
      revokeMs: timing.revokeMs,
      startsOf: (partitions) => laneStarts(options, partitions),
      commit: (lanes) => this.#commits.flush(lanes),
      onFlowing: () => this.wake(),
      onGone: (lane) => this.#outstanding.remove(lane.outBytes, lane.outCount),
    });
    const owner = {
      assigned: (partitions: readonly number[], generation: number) => this.#keeper.assigned(partitions, generation),
      giveUp: (kept: ReadonlySet<number>, reason: "rebalance" | "lost") => this.#keeper.giveUp(kept, reason),
      onError: (error: PostriderError) => sink.onError(error),
    };
    this.#member = new GroupMember(kafka, { ...options, topic: topic.name, owner });
    this.#commits = new Commits({
      ...options,
      member: this.#member,
      topic: topic.name,
      intervalMs: commitIntervalMs,
      lanes: () => this.#keeper.lanes,
      onError: owner.onError,
    });
    this.#fetcher = new Fetcher({ ...options, reader: this });
    this.#member.start();
  }

  pause(lane?: Lane): void {
    if (lane === undefined) this.#isPaused = true;
    const found = lane && this.#keeper.get(lane.number);
    if (found !== undefined) found.isPaused = true;
  }

  resume(lane?: Lane): void {
    if (lane === undefined) this.#isPaused = false;
    for (const one of this.#keeper.lanes) if (lane === undefined || one.lane.number === lane.number) one.isPaused = false;
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
    const { admin, topic, clock } = this.#options;
    const lanes = [...this.#keeper.lanes].filter(({ state }) => state !== "leaving");
    const ends =
      lanes.length === 0
        ? new Map<number, number>()
        : await this.#ask(() =>
            offsetsAt(
              admin,
              topic.name,
              lanes.map(({ lane }) => lane.number),
              LATEST,
            ),
          );
    let backlog = 0;
    let oldestMs = Infinity;
    for (const lane of lanes) {
      lane.end = Math.max(lane.end, ends.get(lane.lane.number) ?? 0);
      backlog += lane.backlog;
      if (lane.backlog > 0) oldestMs = Math.min(oldestMs, lane.oldestMs ?? Infinity);
    }
    const lagSeconds = backlog === 0 ? 0 : oldestMs === Infinity ? undefined : Math.max(0, (clock.now() - oldestMs) / 1000);
    return { lanes: lanes.map(({ lane }) => lane), backlog, lagSeconds };
  }

  /** Tells the broker how far it has come. */
  async commitNow(): Promise<void> {
    await this.#commits.flush();
  }

  targets(): readonly FetchTarget[] {
    return this.#isStopped ? [] : this.#keeper.targets();
  }

  take(parts: readonly FetchedPart[]): void {
    for (const part of parts) {
      const lane = this.#keeper.get(part.partition);
      if (lane === undefined || lane.fetchedTo !== part.from || lane.state === "leaving") continue;
      if (part.isGone) void this.#goOn(lane);
      else lane.fetched(part.records, part.next, part.end);
    }
    // Of a backlog the broker looks for more while handlers run. Without one it would bring the next message alone, and not what comes meanwhile.
    if (parts.some(({ next, end }) => next < end)) this.#fetcher.wake();
    this.#pump();
  }

  onError(error: PostriderError): void {
    this.#options.sink.onError(error);
  }

  settled(delivery: KafkaDelivery, isDone: boolean): void {
    const { owner, slot, bytes } = delivery;
    if (owner.state === "gone") return; // somebody else's by now: what we say of it means nothing
    owner.outCount--;
    owner.outBytes -= bytes;
    this.#outstanding.remove(bytes);
    if (isDone) owner.slots.finish(slot);
    else if (owner.state !== "leaving") owner.takeBack(delivery.again());
    if (!isDone || this.#isFull) this.wake();
  }

  wake(): void {
    if (this.#isAwake || this.#isStopped) return;
    this.#isAwake = true;
    void this.#options.clock.yield().then(() => this.#pump());
  }

  #pump(): void {
    this.#isAwake = false;
    if (this.#isStopped || this.#closing !== undefined) return;
    if (!this.#isPaused && this.#member.isCertain) this.#handOver();
    this.#fetcher.wake();
  }

  #handOver(): void {
    this.#isFull = false;
    const lanes = [...this.#keeper.lanes];
    const first = this.#turn++;
    for (let at = 0; at < lanes.length && !this.#isFull; at++) {
      const lane = lanes[(first + at) % lanes.length]!;
      if (!lane.isFlowing) continue;
      const batch = this.#batchOf(lane);
      if (batch.length > 0) this.#options.sink.deliver(lane.lane, batch);
    }
  }

  #batchOf(lane: OwnedLane): KafkaDelivery[] {
    const batch = listOf<KafkaDelivery>();
    while (lane.returned.length > 0) {
      if (!this.#count(lane, lane.returned[0]!.bytes)) return batch;
      batch.push(lane.returned.shift()!);
    }
    for (let record = lane.peek(); record !== undefined; record = lane.peek()) {
      if (!this.#isWanted(record)) lane.skip(record);
      else if (batch.length >= MAX_PER_TURN) {
        this.wake();
        break;
      } else if (!this.#count(lane, record.bytes)) break;
      else {
        lane.shift();
        const slot = lane.slots.add(record.offset, record.timestampMs);
        batch.push(new KafkaDelivery(this.#decode(record, lane), { slot, owner: lane, bytes: record.bytes }, this, false));
      }
    }
    return batch;
  }

  #decode(record: RawRecord, { lane }: OwnedLane): DecodedRecord {
    const decoded = decodeRecord(record);
    return this.#options.keepsOrigin ? withOrigin(decoded, record, lane.number) : decoded;
  }

  #count(lane: OwnedLane, bytes: number): boolean {
    if (!this.#outstanding.tryAdd(bytes)) {
      this.#isFull = true;
      return false;
    }
    lane.outCount++;
    lane.outBytes += bytes;
    return true;
  }

  #isWanted(record: RawRecord): boolean {
    if (this.#types === undefined) return true;
    const type = typeOfRecord(record);
    return type !== undefined && this.#types.has(type);
  }

  /** Retention has deleted what this service had not read. */
  async #goOn(lane: OwnedLane): Promise<void> {
    const { admin, topic, sink, subscription } = this.#options;
    const from = lane.fetchedTo;
    const { number } = lane.lane;
    try {
      const first = (await offsetsAt(admin, topic.name, [number], EARLIEST)).get(number);
      if (first === undefined || lane.fetchedTo !== from) return;
      const detail = `the broker has deleted offsets ${from} to ${first - 1} of ${topic.name}/${number} before ${subscription.service} had read them`;
      sink.onError(fail("PR_TRANSPORT_FAILED", { transport: "kafka", during: "reading", detail }));
      lane.jump(first);
      this.wake();
    } catch {
      // the next fetch is refused as well and brings us here again
    }
  }

  async #close(): Promise<void> {
    this.#isStopped = true;
    await this.#keeper.giveUp(new Set(), "closing");
    this.#commits.stop();
    this.#fetcher.close();
    await this.#member.leave();
    this.#options.onClosed(this);
  }

  /** Answers soon, or says that the broker does not: health waits for it. */
  async #ask<Answer>(question: () => Promise<Answer>): Promise<Answer> {
    const stop = new AbortController();
    const late = this.#options.clock.sleep(INSPECT_WITHIN_MS, stop.signal).then(() => {
      const detail = `no answer in ${INSPECT_WITHIN_MS} ms`;
      throw fail("PR_TRANSPORT_FAILED", { transport: "kafka", during: "inspect", detail });
    });
    try {
      return await Promise.race([question(), late]);
    } catch (error) {
      throw wrapKafkaError(error, "inspect");
    } finally {
      stop.abort();
      late.catch(() => undefined);
    }
  }
}
