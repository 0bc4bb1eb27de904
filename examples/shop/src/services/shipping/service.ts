import { service } from "postrider";
import type { Sql } from "postrider";
import { ArrangeShipment, DispatchShipment, FinishDelivery, FinishPacking, RecallShipment, ShipmentDelivered, ShipmentPrepared } from "../../contracts/shipping.ts";
import { SOON } from "../../part.ts";
import type { Part } from "../../part.ts";

/**
 * packing ──▶ packed ──dispatch──▶ under way ──▶ arrived; a recall in the first two stages ends it, and may also come first.
 */
type Stage = "packing" | "packed" | "underWay" | "arrived" | "recalled";

const TABLES: readonly string[] = ["create table if not exists shipping_shipments (order_id text primary key, stage text not null)"];

/** Shipping: packs and carries, each step taking `stepMs`. A packed parcel leaves when ordering dispatches it, never by itself. */
export function shipping(stepMs: number): Part {
  const later = { delayMs: stepMs };
  const definition = service(
    "shipping",
    (on) => {
      on(ArrangeShipment, async ({ orderId }, { tx, schedule }) => {
        if (await begin(tx, orderId, "packing")) schedule(FinishPacking, { orderId }, later);
      });
      on(FinishPacking, async ({ orderId }, { tx, publish }) => {
        if (await advance(tx, orderId, "packing", "packed")) publish(ShipmentPrepared, { orderId });
      });
      on(DispatchShipment, async ({ orderId }, { tx, schedule }) => {
        if (await advance(tx, orderId, "packed", "underWay")) schedule(FinishDelivery, { orderId }, later);
      });
      on(FinishDelivery, async ({ orderId }, { tx, publish }) => {
        if (await advance(tx, orderId, "underWay", "arrived")) publish(ShipmentDelivered, { orderId });
      });
      on(RecallShipment, async ({ orderId }, { tx }) => {
        // Priority and retries may bring the recall before the order that it recalls.
        if (await begin(tx, orderId, "recalled")) return;
        await tx.run("update shipping_shipments set stage = 'recalled' where order_id = ? and stage in ('packing', 'packed')", orderId);
      });
    },
    { retry: SOON },
  );
  return { service: definition, tables: TABLES };
}

/** Adds a shipment; false when it is there. */
async function begin(tx: Sql, orderId: string, stage: Stage): Promise<boolean> {
  const { changes } = await tx.run("insert into shipping_shipments (order_id, stage) values (?, ?) on conflict do nothing", orderId, stage);
  return changes === 1;
}

/** Moves a shipment on; false when it is not there: recalled, or moved before. */
async function advance(tx: Sql, orderId: string, from: Stage, to: Stage): Promise<boolean> {
  const { changes } = await tx.run("update shipping_shipments set stage = ? where order_id = ? and stage = ?", to, orderId, from);
  return changes === 1;
}
