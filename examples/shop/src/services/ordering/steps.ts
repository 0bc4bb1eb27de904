import type { HandlerContext, SendOptions } from "postrider";
import { OrderCancelled, OrderDelivered, OrderPaid, OrderPlaced, OrderReserved, OrderShipped } from "../../contracts/order.ts";
import { CreateInvoice } from "../../contracts/papers.ts";
import { ChargePayment, RefundPayment } from "../../contracts/payment.ts";
import { urgencyOf } from "../../contracts/shapes.ts";
import { ArrangeShipment, DispatchShipment, RecallShipment } from "../../contracts/shipping.ts";
import { ReleaseStock, ReserveStock } from "../../contracts/stock.ts";
import type { Decision, Order, Step } from "./order.ts";

type Outbound = Pick<HandlerContext, "send" | "publish">;

const CHANGE_OF = {
  pending: OrderPlaced,
  reserved: OrderReserved,
  paid: OrderPaid,
  shipped: OrderShipped,
  delivered: OrderDelivered,
  cancelled: OrderCancelled,
} as const;

const ASK: Readonly<Record<Exclude<Step, "tell">, (order: Order, outbound: Outbound, options: SendOptions) => unknown>> = {
  reserve: ({ orderId, items }, { send }, options) => send(ReserveStock, { orderId, items: [...items] }, options),
  release: ({ orderId }, { send }, options) => send(ReleaseStock, { orderId }, options),
  charge: ({ orderId, totalAmount: amount }, { send }, options) => send(ChargePayment, { orderId, amount }, options),
  refund: ({ orderId, chargeId = "", totalAmount: amount }, { send }, options) =>
    send(RefundPayment, { orderId, chargeId, amount }, options),
  arrange: ({ orderId }, { send }, options) => send(ArrangeShipment, { orderId }, options),
  dispatch: ({ orderId }, { send }, options) => send(DispatchShipment, { orderId }, options),
  recall: ({ orderId }, { send }, options) => send(RecallShipment, { orderId }, options),
  invoice: ({ orderId, customerId, totalAmount, items }, { send }, options) =>
    send(CreateInvoice, { orderId, customerId, totalAmount, items: [...items] }, options),
};

/** Turns a decision into messages; they leave with the unit of work. */
export function carryOut({ order, steps }: Decision, before: Order | undefined, outbound: Outbound): void {
  const options = { priority: urgencyOf(order) };
  for (const step of steps) {
    if (step === "tell") tell(order, before, outbound);
    else ASK[step](order, outbound, options);
  }
}

function tell(order: Order, before: Order | undefined, { publish }: Outbound): void {
  const { orderId, customerId, status, totalAmount, at, reason, items } = order;
  const told = { orderId, customerId, status, from: before?.status ?? null, totalAmount, at };
  if (status === "cancelled") publish(CHANGE_OF[status], { ...told, reason });
  else if (status === "delivered") publish(CHANGE_OF[status], { ...told, items: [...items] });
  else publish(CHANGE_OF[status], told);
}
