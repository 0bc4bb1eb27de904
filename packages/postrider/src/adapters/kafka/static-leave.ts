import type { VendorConsumer } from "./vendor.ts";

/**
 * Ends a static member without taking it out of its group, so that a restart within a session moves no partition.
 *
 * The client takes static members out when it closes. It does not where it has no member id, and `leaveGroup` then only stops the heartbeats.
 */
export function leaveQuietly(consumer: VendorConsumer): Promise<void> {
  consumer.memberId = null;
  return new Promise((resolve) => {
    consumer.leaveGroup(false, () => resolve());
  });
}
