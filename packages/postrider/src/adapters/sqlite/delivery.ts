import { LogDelivery } from "../../lanes/log-delivery.ts";
import type { Settler } from "../../lanes/log-delivery.ts";
import type { Delivery } from "../../ports/transport.ts";
import { LaneCursor } from "./lane-cursor.ts";

/** Who settles what it handed over. */
export interface DeliveryOwner extends Settler<SqliteDelivery> {
  /** Inside a turn. @throws PR_LEASE_LOST unless the lane is still ours */
  assertOwned(delivery: SqliteDelivery): void;
}

/** One hand-over of a message. */
export interface SqliteDelivery extends LogDelivery<LaneCursor<SqliteDelivery>, DeliveryOwner> {}

/** Whether a delivery is one of this adapter's. */
export function isSqliteDelivery(delivery: Delivery): delivery is SqliteDelivery {
  return delivery instanceof LogDelivery && delivery.cursor instanceof LaneCursor;
}
