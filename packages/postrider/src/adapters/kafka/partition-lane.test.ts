import { expect, test } from "vitest";
import { PartitionLane } from "./partition-lane.ts";
import type { KafkaDelivery } from "./delivery.ts";

const KB = 1024;

function laneWith(bytes: number): PartitionLane<KafkaDelivery> {
  const lane = { service: "mailing", destination: "order.events", number: 0, epoch: 1 };
  const owned = new PartitionLane<KafkaDelivery>(lane, { offset: 0, isFinished: () => false });
  owned.state = "flowing";
  const record = { offset: 0, timestampMs: 0, isAppendTime: false, bytes, buffer: Buffer.alloc(0), keyAt: 0 };
  if (bytes > 0) owned.fetched([record], 1, 1);
  return owned;
}

test.for([
  ["nothing there", 0, 0, true],
  ["little there", 200 * KB, 0, true],
  ["a fetch there, and nothing may be ahead", 1000 * KB, 0, false],
  ["a fetch there, and another may be ahead", 1000 * KB, 1280 * KB, true],
  ["two there", 2000 * KB, 1280 * KB, false],
] as const)("a lane wants more: %s", ([, bytes, aheadBytes, wanted]) => {
  expect(laneWith(bytes).wantsMore(aheadBytes)).toBe(wanted);
});
