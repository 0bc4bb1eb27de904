import { service } from "postrider";
import type { Sql } from "postrider";
import { ArrangeShipment, DispatchShipment, RecallShipment, ShipmentDelivered, ShipmentPrepared } from "../../contracts/shipping.ts";
import { SOON } from "../../part.ts";
import type { Part } from "../../part.ts";

/** packing ──dispatch──▶ underWay. A recall ends the packing, and may also come first. */
type Stage = "packing" | "underWay" | "recalled";

const TABLES: readonly string[] = [
  "create table if not exists shipping_shipments (order_id varchar(255) primary key, stage text not null)",
];

/** The name of a parcel's next news in the schedule: by it a recall takes the news back. */
const newsOf = (orderId: string): string => `packed ${orderId}`;

/**
 * Shipping: packs and carries, each step taking `stepMs`. A packed parcel leaves when ordering dispatches it, never by itself.
 *
 * There is no warehouse behind this example, so the news of a step's end is scheduled at its beginning.
 */
export function shipping(stepMs: number): Part {
  const later = { delayMs: stepMs };
  const definition = service(
    "shipping",
    (on) => {
      on(ArrangeShipment, async ({ orderId }, { tx, schedule }) => {
        if (await begin(tx, orderId, "packing")) schedule(ShipmentPrepared, { orderId }, later, { id: newsOf(orderId) });
      });
      on(DispatchShipment, async ({ orderId }, { tx, schedule }) => {
        const { changes } = await tx.run(
          "update shipping_shipments set stage = 'underWay' where order_id = ? and stage = 'packing'",
          orderId,
        );
        if (changes === 1) schedule(ShipmentDelivered, { orderId }, later);
      });
      on(RecallShipment, async ({ orderId }, { tx, cancelScheduled }) => {
        if (await begin(tx, orderId, "recalled")) return; // it came before the parcel that it recalls
        await tx.run("update shipping_shipments set stage = 'recalled' where order_id = ? and stage = 'packing'", orderId);
        cancelScheduled(newsOf(orderId));
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
