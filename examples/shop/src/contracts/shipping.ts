import { command, event } from "postrider";
import { byOrder, OrderRef } from "./shapes.ts";

const order = { schema: OrderRef, key: byOrder };

/** Gets an order ready to leave. */
export const ArrangeShipment = command("shipping.arrange", order);

/** Lets a packed parcel go. Only ordering knows whether the order still stands. */
export const DispatchShipment = command("shipping.dispatch", order);

/** Calls a parcel back that has not been dispatched. */
export const RecallShipment = command("shipping.recall", order);

/** A parcel is packed and waits for its dispatch. */
export const ShipmentPrepared = event("shipment.prepared", order);

/** A parcel has arrived. */
export const ShipmentDelivered = event("shipment.delivered", order);
