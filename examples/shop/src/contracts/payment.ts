import { command, event } from "postrider";
import { z } from "zod";
import { byOrder } from "./shapes.ts";

/** Takes an order's money. A declined card is an outcome, not an error. */
export const ChargePayment = command("payment.charge", {
  schema: z.object({ orderId: z.string(), amount: z.int().positive() }),
  key: byOrder,
});

/** Gives an order's money back, all of it. */
export const RefundPayment = command("payment.refund", {
  schema: z.object({ orderId: z.string(), chargeId: z.string(), amount: z.int().positive() }),
  key: byOrder,
});

const Money = z.object({ orderId: z.string(), chargeId: z.string(), amount: z.int() });

/** The money is there. */
export const PaymentCaptured = event("payment.captured", { schema: Money, key: byOrder });

/** The card was declined; nothing was taken. */
export const PaymentDeclined = event("payment.declined", { schema: z.object({ orderId: z.string(), amount: z.int() }), key: byOrder });

/** The money is back with the customer. */
export const PaymentRefunded = event("payment.refunded", { schema: Money, key: byOrder });
