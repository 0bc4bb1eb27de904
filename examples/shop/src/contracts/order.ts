import { command, event } from "postrider";
import { z } from "zod";
import { byOrder, Line, OrderRef, STATUSES, urgencyOf } from "./shapes.ts";

/** Takes an order that the gateway has accepted and recorded. */
export const PlaceOrder = command("order.place", {
  schema: z.object({ orderId: z.string(), customerId: z.string(), items: z.array(Line), totalAmount: z.int(), placedAt: z.string() }),
  key: byOrder,
  priority: urgencyOf,
  sensitive: ["customerId"],
});

/** Asks for the end of an order; ordering decides and answers. */
export const CancelOrder = command("order.cancel", {
  schema: OrderRef,
  reply: z.object({ outcome: z.enum(["accepted", "tooLate"]) }),
  key: byOrder,
});

/** What every change of an order's status tells. */
export const OrderChange = z.object({
  orderId: z.string(),
  customerId: z.string(),
  status: z.enum(STATUSES),
  /** The status before; null for a new order. */
  from: z.enum(STATUSES).nullable(),
  totalAmount: z.int(),
  at: z.string(),
  /** Why it was cancelled. */
  reason: z.string().optional(),
  /** With `order.delivered` only: the rest of the world knows them from the start, or does not need them. */
  items: z.array(Line).optional(),
});

/** What every change of an order's status tells. */
export type OrderChange = z.infer<typeof OrderChange>;

// One context and one key for all of them: they share a destination and a lane, so every reader sees an order's history straight.
const change = (name: string) =>
  event(name, { schema: OrderChange, key: byOrder, ordered: true, priority: urgencyOf, sensitive: ["customerId"] });

/** Ordering has taken the order. */
export const OrderPlaced = change("order.placed");
/** Its stock is held. */
export const OrderReserved = change("order.reserved");
/** Its money is there. */
export const OrderPaid = change("order.paid");
/** It has left, and can no longer be cancelled. */
export const OrderShipped = change("order.shipped");
/** It has arrived. */
export const OrderDelivered = change("order.delivered");
/** It ended; money and stock are back where they were. */
export const OrderCancelled = change("order.cancelled");
