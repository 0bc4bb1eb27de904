import { LogDelivery } from "../../lanes/log-delivery.ts";
import type { Settler } from "../../lanes/log-delivery.ts";
import type { Delivery } from "../../ports/transport.ts";
import { LaneCursor } from "./lane-cursor.ts";

/** One hand-over of a message. */
export interface PostgresDelivery extends LogDelivery<LaneCursor<PostgresDelivery>, Settler<PostgresDelivery>> {}

/** Whether a delivery is one of this adapter's. */
export function isPostgresDelivery(delivery: Delivery): delivery is PostgresDelivery {
  return delivery instanceof LogDelivery && delivery.cursor instanceof LaneCursor;
}
