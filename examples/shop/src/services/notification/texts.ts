import type { OrderChange } from "../../contracts/order.ts";

const won = new Intl.NumberFormat("en-US");

/** What a customer reads about a step of an order. */
export function textOf({
  orderId,
  status,
  totalAmount,
  reason,
}: Pick<OrderChange, "orderId" | "status" | "totalAmount" | "reason">): string {
  const order = `Your order ${orderId}`;
  switch (status) {
    case "pending":
      return `${order} over ${won.format(totalAmount)} won has arrived.`;
    case "reserved":
      return `${order} is reserved.`;
    case "paid":
      return `${order} is paid.`;
    case "shipped":
      return `${order} is on its way.`;
    case "delivered":
      return `${order} was delivered.`;
    case "cancelled":
      return `${order} was cancelled: ${reason ?? "no reason given"}.`;
  }
}
