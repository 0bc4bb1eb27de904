import type { Clock } from "../../base/clock.ts";
import type { Sink, Subscription } from "../../ports/transport.ts";
import type { KafkaDelivery, OwnedLane } from "./delivery.ts";
import type { FetchTarget } from "./fetch-request.ts";
import { PartitionLane } from "./partition-lane.ts";
import type { LaneStart } from "./partition-lane.ts";
import { wrapKafkaError } from "./vendor-error.ts";

/** What lanes are kept with. */
export interface LaneKeeperOptions {
  readonly subscription: Subscription;
  readonly sink: Sink;
  readonly clock: Clock;
  readonly revokeMs: number;
  /** Where each of these partitions starts. */
  readonly startsOf: (partitions: readonly number[]) => Promise<ReadonlyMap<number, LaneStart>>;
  readonly commit: (lanes: readonly OwnedLane[]) => Promise<unknown>;
  /** A lane may hand over now. */
  readonly onFlowing: () => void;
  /** A lane is gone; what was out of it no longer counts. */
  readonly onGone: (lane: OwnedLane) => void;
}

const RETRY_MS = 500;
const COMMIT_WAIT_MS = 3000;
const EPOCHS_PER_GENERATION = 4096;
const AHEAD_BYTES = 1280 * 1024; // of a lane: more than one fetch brings unless it is told otherwise
const MAX_AHEAD_BYTES = 8 * 1024 * 1024;

/** Takes lanes on and gives them up, and tells the sink of both, in that order for each. */
export class LaneKeeper {
  readonly #options: LaneKeeperOptions;
  /** Epochs of the partitions that the group says are ours. */
  readonly #owned = new Map<number, number>();
  readonly #lanes = new Map<number, OwnedLane>();
  /** What of a partition must end before it can be taken on again. */
  readonly #endings = new Map<number, Promise<void>>();
  #lastEpoch = 0;
  #isClosing = false;

  constructor(options: LaneKeeperOptions) {
    this.#options = options;
  }

  get lanes(): Iterable<OwnedLane> {
    return this.#lanes.values();
  }

  get(partition: number): OwnedLane | undefined {
    return this.#lanes.get(partition);
  }

  /** What to fetch. Of a backlog the next fetch is under way while the last is handled: but all lanes together have only so much ahead. */
  targets(): readonly FetchTarget[] {
    const aheadBytes = this.#aheadBytes();
    const targets: FetchTarget[] = [];
    for (const [partition, lane] of this.#lanes) if (lane.wantsMore(aheadBytes)) targets.push({ partition, offset: lane.fetchedTo });
    return targets;
  }

  /** These partitions are ours, and no others. */
  assigned(partitions: readonly number[], generation: number): void {
    if (this.#isClosing) return;
    const wanted = new Set(partitions);
    for (const partition of this.#owned.keys()) if (!wanted.has(partition)) void this.#giveUp(partition, "lost");
    const fresh = partitions.filter((partition) => !this.#owned.has(partition));
    this.#lastEpoch = Math.max(this.#lastEpoch + 1, generation * EPOCHS_PER_GENERATION);
    for (const partition of fresh) this.#owned.set(partition, this.#lastEpoch);
    if (fresh.length > 0) void this.#takeOn(fresh, this.#lastEpoch);
  }

  /** Gives up all but these; resolves when their sinks have let go, or at the deadline. */
  async giveUp(kept: ReadonlySet<number>, reason: "rebalance" | "lost" | "closing"): Promise<void> {
    if (reason === "closing") this.#isClosing = true;
    const going = [...this.#owned.keys()].filter((partition) => !kept.has(partition));
    await Promise.all(going.map((partition) => this.#giveUp(partition, reason)));
  }

  #aheadBytes(): number {
    let buffered = 0;
    for (const lane of this.#lanes.values()) buffered += lane.bufferedBytes;
    return buffered < MAX_AHEAD_BYTES ? AHEAD_BYTES : 0;
  }

  async #takeOn(partitions: readonly number[], epoch: number): Promise<void> {
    const { clock, sink, startsOf } = this.#options;
    await Promise.all(partitions.map((partition) => this.#endings.get(partition) ?? Promise.resolve()));
    for (let attempt = 1; ; attempt++) {
      const ours = partitions.filter((partition) => this.#owned.get(partition) === epoch);
      if (ours.length === 0) return;
      try {
        const starts = await startsOf(ours);
        for (const partition of ours) if (this.#owned.get(partition) === epoch) this.#begin(partition, epoch, starts.get(partition)!);
        return;
      } catch (error) {
        if (attempt > 1) sink.onError(wrapKafkaError(error, "looking for the place to go on from"));
        await clock.sleep(RETRY_MS);
      }
    }
  }

  #begin(partition: number, epoch: number, start: LaneStart): void {
    const { service, destination } = this.#options.subscription;
    const lane = new PartitionLane<KafkaDelivery>({ service, destination: destination.name, number: partition, epoch }, start);
    this.#lanes.set(partition, lane);
    lane.starting = this.#start(lane);
    this.#options.onFlowing(); // fetches while the sink gets ready
  }

  /** Whether the sink has taken it. It is asked again and again: the group cannot give one partition to somebody else because we do not want it. */
  async #start(lane: OwnedLane): Promise<boolean> {
    const { sink, clock } = this.#options;
    while (lane.state === "starting") {
      try {
        await sink.onAssigned(lane.lane);
        if ((lane.state as string) === "starting") lane.state = "flowing";
        this.#options.onFlowing();
        return true;
      } catch {
        await clock.sleep(RETRY_MS);
      }
    }
    return false;
  }

  #giveUp(partition: number, reason: "rebalance" | "lost" | "closing"): Promise<void> {
    this.#owned.delete(partition);
    const lane = this.#lanes.get(partition);
    if (lane?.state === "leaving" && reason === "lost") this.#gone(lane);
    if (lane === undefined || (lane.state !== "starting" && lane.state !== "flowing"))
      return this.#endings.get(partition) ?? Promise.resolve();
    lane.state = "leaving";
    lane.drop();
    const ending = this.#windUp(lane, reason).finally(() => {
      if (this.#endings.get(partition) === ending) this.#endings.delete(partition);
    });
    this.#endings.set(partition, ending);
    return ending;
  }

  async #windUp(lane: OwnedLane, reason: "rebalance" | "lost" | "closing"): Promise<void> {
    const { clock, revokeMs, commit } = this.#options;
    const limitMs = reason === "lost" ? 0 : revokeMs;
    if (reason === "lost") this.#gone(lane);
    const stop = new AbortController();
    await Promise.race([this.#revoked(lane, reason, limitMs), clock.sleep(limitMs, stop.signal).catch(() => undefined)]);
    stop.abort();
    if (isGone(lane)) return; // lost, also meanwhile: a commit under a later generation would be believed
    const late = new AbortController();
    await Promise.race([commit([lane]), clock.sleep(COMMIT_WAIT_MS, late.signal).catch(() => undefined)]);
    late.abort();
    if (!isGone(lane)) this.#gone(lane);
  }

  async #revoked(lane: OwnedLane, reason: "rebalance" | "lost" | "closing", limitMs: number): Promise<void> {
    const { sink } = this.#options;
    if (!(await lane.starting)) return;
    try {
      await sink.onRevoked(lane.lane, reason, limitMs);
    } catch (error) {
      sink.onError(wrapKafkaError(error, "giving a lane up"));
    }
  }

  #gone(lane: OwnedLane): void {
    lane.state = "gone";
    if (this.#lanes.get(lane.lane.number) === lane) this.#lanes.delete(lane.lane.number);
    this.#options.onGone(lane);
  }
}

function isGone({ state }: OwnedLane): boolean {
  return state === "gone";
}
