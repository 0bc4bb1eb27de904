import { z } from "zod";

/** Orders of this many won or more are VIP orders: they go first. */
export const VIP_FROM_WON = 1_000_000;

/** The states of an order that a customer sees. */
export const STATUSES = ["pending", "reserved", "paid", "shipped", "delivered", "cancelled"] as const;

/** One of {@link STATUSES}. */
export type Status = (typeof STATUSES)[number];

/** One product of an order, with the price that held when it was accepted. */
export const Line = z.object({ productId: z.string(), quantity: z.int(), unitPrice: z.int() });

/** One product of an order. */
export type Line = z.infer<typeof Line>;

/** An order by its id: what most messages about it need. */
export const OrderRef = z.object({ orderId: z.string() });

/** The ordering key of all that is about one order. */
export const byOrder = (body: { readonly orderId: string }): string => body.orderId;

/** The class of a message about an order of this worth. All messages of an order are of one class, so none overtakes another. */
export const urgencyOf = (body: { readonly totalAmount: number }): "high" | "normal" =>
  body.totalAmount >= VIP_FROM_WON ? "high" : "normal";
