import type { Connection } from "@platformatic/kafka";
import { backoffMs } from "../../base/backoff.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import { leaveQuietly } from "./static-leave.ts";
import { clientBase } from "./vendor.ts";
import type { KafkaConnection, KafkaModule, VendorConsumer } from "./vendor.ts";
import { hasKafkaCode, KAFKA_CODES, wrapKafkaError } from "./vendor-error.ts";

/** How a group watches over its members. All in milliseconds. */
export interface GroupTiming {
  /** How long a member may be silent before its partitions go to others. */
  readonly sessionMs: number;
  /** How often it says that it lives: what a change of members waits for. */
  readonly heartbeatMs: number;
  /** How long it may take to wind partitions up before it joins again. */
  readonly revokeMs: number;
}

/** What a member is made with. */
export interface GroupMemberOptions {
  readonly connection: KafkaConnection;
  readonly clock: Clock;
  readonly random: Random;
  readonly groupId: string;
  readonly topic: string;
  readonly timing: GroupTiming;
  /** A static member's name: it keeps its partitions through a restart. */
  readonly instanceId: string | undefined;
  readonly owner: GroupOwner;
}

/** Who owns what the group gives. */
export interface GroupOwner {
  /** These partitions are ours, and no others. */
  assigned(partitions: readonly number[], generation: number): void;
  /** Gives up what is not kept; the group waits for it. `lost` where others may have it already. */
  giveUp(kept: ReadonlySet<number>, reason: "rebalance" | "lost"): Promise<void>;
  onError(error: PostriderError): void;
}

/** The place of a member in its group, as commits are fenced by it. */
export interface Membership {
  readonly memberId: string;
  readonly generation: number;
}

const JOIN_ANSWER_MS = 5000; // what an answer may take beyond the wait for the other members
const LEAVE_WAIT_MS = 5000;
const LEAVE_ANSWER_MS = 2000;
const RETRY = { firstMs: 100, maxMs: 5000 };
const FIRST_LOOK_MS = 40;
const LOOK_FACTOR = 1.5;
const NOTHING = Buffer.alloc(0);
const COOPERATIVE = { name: "cooperative-sticky", version: 3 };

/**
 * A member of a consumer group, by the classic protocol with cooperative rebalances: what stays is not interrupted, what goes is wound up and committed
 * before the group gives it to somebody else.
 *
 * States: *out*, *joining* (also when it joins again), *in*, *silent* (no heartbeat got through for a session: its partitions count as lost), *leaving*.
 * The client has no hook for revocation; but it asks for the metadata of its subscription right before it joins, waits for it, and by then knows what it keeps.
 */
export class GroupMember {
  readonly #options: GroupMemberOptions;
  readonly #kafka: KafkaModule;
  readonly #consumer: VendorConsumer;
  #state: "out" | "joining" | "in" | "silent" | "leaving" = "out";
  /** Whether the group said that it rebalances; without that a join means that we were thrown out. */
  #isOrderly = false;
  #heardAtMs = 0;
  #failures = 0;
  #watch: Timer | undefined;
  #settledIn = Promise.withResolvers<void>();

  constructor(kafka: KafkaModule, options: GroupMemberOptions) {
    const { connection, clock, random, groupId, timing, topic, instanceId } = options;
    this.#options = options;
    this.#kafka = kafka;
    const rebalanceMs = Math.max(timing.sessionMs, timing.revokeMs * 2);
    this.#consumer = new kafka.Consumer({
      ...clientBase(connection),
      // An answer to a join comes when the last member has joined.
      requestTimeout: rebalanceMs + JOIN_ANSWER_MS,
      retries: true,
      retryDelay: (_client, _operation, attempt) => backoffMs({ firstMs: 50, maxMs: 1000 }, attempt, random),
      groupId,
      ...(instanceId === undefined ? {} : { groupInstanceId: instanceId }),
      autocommit: false,
      sessionTimeout: timing.sessionMs,
      rebalanceTimeout: rebalanceMs,
      heartbeatInterval: timing.heartbeatMs,
      protocols: [COOPERATIVE],
      protocolsMetadata: () => this.#beforeJoin(),
    });
    this.#consumer.topics.track(topic);
    this.#heardAtMs = clock.monotonicMs();
    this.#listen();
  }

  /** Whether others may not have our partitions already. */
  get isCertain(): boolean {
    return this.#options.clock.monotonicMs() - this.#heardAtMs < this.#options.timing.sessionMs;
  }

  /** What commits are fenced by; undefined while we are not in the group. */
  get membership(): Membership | undefined {
    const { memberId, generationId } = this.#consumer;
    return memberId === null ? undefined : { memberId, generation: generationId };
  }

  /** The broker that keeps the group's commits. */
  coordinator(): Promise<number> {
    return this.#consumer.findGroupCoordinator();
  }

  /** Joins, and goes on joining until it is in. */
  start(): void {
    if (this.#state !== "out") return;
    this.#watch = this.#options.clock.after(this.#options.timing.heartbeatMs, () => this.#look());
    void this.#join();
  }

  /** Leaves the group; a static member only stops. */
  async leave(): Promise<void> {
    const { clock, instanceId } = this.#options;
    const isJoining = this.#state === "joining";
    this.#state = "leaving";
    this.#watch?.cancel();
    // A join that is under way must end first: a member that the broker takes in when nobody is there any more holds up all others for a session.
    if (isJoining) await Promise.race([this.#settledIn.promise, clock.sleep(LEAVE_WAIT_MS)]);
    if (instanceId !== undefined) await leaveQuietly(this.#consumer);
    const closing = this.#consumer.close(true).catch(() => undefined); // at worst the broker finds out after a session
    // A broker that is frozen takes the request and never answers: without a connection the client waits no longer.
    const late = clock.after(LEAVE_ANSWER_MS, () => void this.#consumer.connections.close().catch(() => undefined));
    await closing;
    late.cancel();
  }

  async #join(): Promise<void> {
    this.#state = "joining";
    this.#settledIn = Promise.withResolvers<void>();
    try {
      await this.#consumer.joinGroup({});
      this.#failures = 0;
    } catch (error) {
      this.#settledIn.resolve();
      await this.#failed(error);
    }
  }

  async #failed(error: unknown): Promise<void> {
    if (this.#isLeaving()) return;
    const { clock, random, owner } = this.#options;
    if (++this.#failures > 1) owner.onError(wrapKafkaError(error, `joining the group ${this.#options.groupId}`));
    await owner.giveUp(new Set(), "lost");
    await clock.sleep(backoffMs(RETRY, this.#failures, random));
    if (!this.#isLeaving()) await this.#join();
  }

  #listen(): void {
    this.#consumer.on("consumer:group:rebalance", () => (this.#isOrderly = true));
    this.#consumer.on("consumer:group:join", ({ assignments, generationId }) => {
      this.#heard();
      this.#settledIn.resolve();
      if (this.#isLeaving()) return;
      this.#state = "in";
      this.#options.owner.assigned(this.#partitionsOf(assignments), generationId ?? 0);
      this.#lookSoon(this.#consumer.generationId, FIRST_LOOK_MS);
    });
    this.#consumer.on("consumer:heartbeat:end", () => this.#heard());
    // The client gives up when it cannot join again after a heartbeat, and sends no more heartbeats.
    this.#consumer.on("error", (error: unknown) => {
      this.#settledIn.resolve();
      void this.#failed(error);
    });
  }

  /**
   * What a member gives up comes to another one by a second rebalance, of which that one would hear at its next heartbeat; until then nobody reads it.
   * So for one interval after each join we ask more often than the client does.
   */
  #lookSoon(generation: number, delayMs: number): void {
    const { clock, timing } = this.#options;
    if (delayMs < timing.heartbeatMs) clock.after(delayMs, () => void this.#lookForRebalance(generation, delayMs));
  }

  async #lookForRebalance(generation: number, delayMs: number): Promise<void> {
    const { groupId, instanceId } = this.#options;
    try {
      const connection = await this.#coordinatorConnection();
      const { memberId } = this.#consumer;
      if (connection === undefined || memberId === null || !this.#isIn(generation)) return;
      await this.#kafka.heartbeatV4.api.async(connection, groupId, generation, memberId, instanceId ?? null);
      this.#lookSoon(generation, delayMs * LOOK_FACTOR);
    } catch (error) {
      // Anything else is the client's business, at its own heartbeat.
      if (!hasKafkaCode(error, KAFKA_CODES.REBALANCE_IN_PROGRESS) || !this.#isIn(generation)) return;
      this.#isOrderly = true;
      await this.#join();
    }
  }

  async #coordinatorConnection(): Promise<Connection | undefined> {
    const coordinator = await this.coordinator();
    return (await this.#consumer.connectToBrokers([coordinator])).get(coordinator);
  }

  /** Whether nothing has changed since a join. */
  #isIn(generation: number): boolean {
    return this.#state === "in" && !this.#isOrderly && this.#consumer.generationId === generation;
  }

  async #beforeJoin(): Promise<Buffer> {
    const isOrderly = this.#isOrderly;
    this.#isOrderly = false;
    if (this.#isLeaving()) return NOTHING;
    if (this.#state !== "joining") {
      this.#state = "joining";
      this.#settledIn = Promise.withResolvers<void>();
    }
    const kept = new Set(this.#partitionsOf(this.#consumer.assignments));
    // The broker has just told us. While it waits for the others it counts none of us as silent, so what we keep goes on.
    if (isOrderly) this.#heard();
    await this.#options.owner.giveUp(kept, isOrderly ? "rebalance" : "lost");
    return NOTHING;
  }

  #heard(): void {
    this.#heardAtMs = this.#options.clock.monotonicMs();
    if (this.#state !== "silent") return;
    this.#state = "in";
    this.#options.owner.assigned(this.#partitionsOf(this.#consumer.assignments), this.#consumer.generationId);
  }

  /** Looks whether the group still hears us. */
  #look(): void {
    if (this.#isLeaving()) return;
    this.#watch = this.#options.clock.after(this.#options.timing.heartbeatMs, () => this.#look());
    if (this.#state !== "in" || this.isCertain) return;
    this.#state = "silent";
    void this.#options.owner.giveUp(new Set(), "lost");
  }

  #partitionsOf(
    assignments: readonly { readonly topic: string; readonly partitions: readonly number[] }[] | null | undefined,
  ): readonly number[] {
    return assignments?.find(({ topic }) => topic === this.#options.topic)?.partitions ?? [];
  }

  #isLeaving(): boolean {
    return this.#state === "leaving";
  }
}
