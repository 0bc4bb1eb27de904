import type { Clock, Timer } from "../../base/clock.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { GroupMember } from "./group-member.ts";
import type { OwnedLane } from "./delivery.ts";
import type { KafkaModule, VendorAdmin } from "./vendor.ts";
import { wrapKafkaError } from "./vendor-error.ts";

/** What commits are made with. */
export interface CommitsOptions {
  readonly kafka: KafkaModule;
  readonly admin: VendorAdmin;
  readonly member: GroupMember;
  readonly clock: Clock;
  readonly groupId: string;
  readonly topic: string;
  readonly intervalMs: number;
  readonly lanes: () => Iterable<OwnedLane>;
  readonly onError: (error: PostriderError) => void;
}

const REPORT_AFTER_FAILURES = 5; // a rebalance refuses some

/**
 * Tells the broker how far each lane has come: on a timer, beside the handlers, and when a lane goes.
 *
 * Sent over a connection of its own with the member's generation, which fences it. The client's own `commit` joins the group again when it is refused, and then
 * commits partitions that are somebody else's by now.
 */
export class Commits {
  readonly #options: CommitsOptions;
  #timer: Timer | undefined;
  #underWay: Promise<void> | undefined;
  #failures = 0;
  #isStopped = false;

  constructor(options: CommitsOptions) {
    this.#options = options;
    this.#schedule();
  }

  /** Commits now what is not committed; resolves when the broker has it, and rejects never. Whether it has. */
  async flush(lanes: readonly OwnedLane[] = [...this.#options.lanes()]): Promise<boolean> {
    while (this.#underWay !== undefined) await this.#underWay;
    const behind = lanes.filter((lane) => lane.slots.prefix > lane.committed || lane.metadataDiffers());
    if (behind.length === 0) return true;
    let isDone = false;
    this.#underWay = this.#commit(behind).then(
      () => {
        isDone = true;
        this.#failures = 0;
      },
      (error: unknown) => this.#failed(error),
    );
    await this.#underWay;
    this.#underWay = undefined;
    return isDone;
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#timer = this.#options.clock.after(this.#options.intervalMs, () => void this.flush().then(() => this.#schedule()));
  }

  async #commit(lanes: readonly OwnedLane[]): Promise<void> {
    const { kafka, admin, member, groupId, topic } = this.#options;
    const { membership } = member;
    if (membership === undefined) return;
    const marks = lanes.map((lane) => ({ lane, prefix: lane.slots.prefix, metadata: lane.slots.metadata() }));
    const coordinator = await member.coordinator();
    const connection = (await admin.connectToBrokers([coordinator])).get(coordinator);
    if (connection === undefined) return;
    const partitions = marks.map(({ lane, prefix, metadata }) => ({
      partitionIndex: lane.lane.number,
      committedOffset: BigInt(prefix),
      committedLeaderEpoch: -1,
      committedMetadata: metadata,
    }));
    await kafka.offsetCommitV8.api.async(connection, groupId, membership.generation, membership.memberId, null, [
      { name: topic, partitions },
    ]);
    for (const { lane, prefix, metadata } of marks) lane.committedTo(prefix, metadata);
  }

  #failed(error: unknown): void {
    if (++this.#failures === REPORT_AFTER_FAILURES && !this.#isStopped)
      this.#options.onError(wrapKafkaError(error, `committing for ${this.#options.groupId}`));
  }
}
