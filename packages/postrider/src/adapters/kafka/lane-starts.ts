import type { Subscription } from "../../ports/transport.ts";
import { committedOf, EARLIEST, LATEST, offsetsAt } from "./offsets.ts";
import type { LaneStart } from "./partition-lane.ts";
import { finishedOf } from "./slots.ts";
import type { Topic } from "./topic-directory.ts";
import type { VendorAdmin } from "./vendor.ts";

/** What is asked to find where lanes start. */
export interface LaneStartsOptions {
  readonly admin: VendorAdmin;
  readonly groupId: string;
  readonly topic: Topic;
  readonly subscription: Pick<Subscription, "from">;
}

/** Where each of these partitions starts: where its group has come to, else where the subscription says. */
export async function laneStarts(options: LaneStartsOptions, partitions: readonly number[]): Promise<ReadonlyMap<number, LaneStart>> {
  const { admin, groupId, topic, subscription } = options;
  const all = new Set([...Array.from({ length: topic.partitions }, (_, at) => at), ...partitions]);
  const committed = await committedOf(admin, groupId, topic.name, [...all]);
  const starts = new Map<number, LaneStart>();
  const fresh = partitions.filter((partition) => !committed.has(partition));
  // A partition that was added to a topic that is already read: nothing in it was ever read.
  const isEarliest = subscription.from === "earliest" || committed.size > 0;
  const offsets = fresh.length === 0 ? undefined : await offsetsAt(admin, topic.name, fresh, isEarliest ? EARLIEST : LATEST);
  for (const partition of partitions) {
    const known = committed.get(partition);
    if (known === undefined) starts.set(partition, { offset: offsets?.get(partition) ?? 0, isFinished: () => false });
    else starts.set(partition, { offset: known.offset, isFinished: finishedOf(known.metadata, known.offset) });
  }
  return starts;
}
