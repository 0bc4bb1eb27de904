import type { VendorAdmin } from "./vendor.ts";

/** A commit of a group for one partition. */
export interface Committed {
  readonly offset: number;
  readonly metadata: string | null;
}

/** Stand for offsets where the protocol wants a time. */
export const EARLIEST = -2n;
/** The end of what readers of committed messages may see. */
export const LATEST = -1n;

const READ_COMMITTED = 1;

/** The offset of each partition at a time, or at one of the ends; the end where nothing is that late. */
export async function offsetsAt(
  admin: VendorAdmin,
  topic: string,
  partitions: readonly number[],
  timestamp: bigint,
): Promise<Map<number, number>> {
  const listed = await admin.listOffsets({
    topics: [{ name: topic, partitions: partitions.map((partitionIndex) => ({ partitionIndex, timestamp })) }],
    isolationLevel: READ_COMMITTED,
  });
  const found = new Map<number, number>();
  for (const { name, partitions: answers } of listed)
    if (name === topic) for (const { partitionIndex, offset } of answers) found.set(partitionIndex, Number(offset));
  const late = partitions.filter((partition) => (found.get(partition) ?? -1) < 0);
  if (late.length === 0 || timestamp === LATEST) return found;
  for (const [partition, offset] of await offsetsAt(admin, topic, late, LATEST)) found.set(partition, offset);
  return found;
}

/** What a group has committed of a topic; partitions without a commit are not in it. */
export async function committedOf(
  admin: VendorAdmin,
  groupId: string,
  topic: string,
  partitions: readonly number[],
): Promise<Map<number, Committed>> {
  const groups = await admin.listConsumerGroupOffsets({
    groups: [{ groupId, topics: [{ name: topic, partitionIndexes: [...partitions] }] }],
    requireStable: true,
  });
  const found = new Map<number, Committed>();
  for (const { topics } of groups)
    for (const { name, partitions: answers } of topics)
      if (name === topic)
        for (const { partitionIndex, committedOffset, metadata } of answers)
          if (committedOffset >= 0n) found.set(partitionIndex, { offset: Number(committedOffset), metadata: metadata ?? null });
  return found;
}
