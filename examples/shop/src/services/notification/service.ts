import { service } from "postrider";
import type { HandlerContext } from "postrider";
import { OrderCancelled, OrderDelivered, OrderPaid, OrderPlaced, OrderShipped } from "../../contracts/order.ts";
import type { OrderChange } from "../../contracts/order.ts";
import { NotificationSent } from "../../contracts/papers.ts";
import { StockLow } from "../../contracts/stock.ts";
import { SOON } from "../../part.ts";
import type { Part } from "../../part.ts";
import type { Mail, Mailer } from "./mailer.ts";
import { textOf } from "./texts.ts";

const TABLES: readonly string[] = [
  "create table if not exists notification_notes (order_id text not null, step text not null, text text not null, at text not null, primary key (order_id, step))",
];

/** Notification: tells customers of each step but the reservation, once, and the shopkeeper of low stock. Without a mailer it only writes down. */
export function notification(mailer?: Mailer): Part {
  const mail = async (message: Mail, { once }: Pick<HandlerContext, "once">): Promise<void> => {
    if (mailer === undefined) return;
    await once("mail", async (key, signal) => {
      await mailer.send(message, key, signal);
      return true;
    });
  };
  const tell = async (change: OrderChange, context: HandlerContext<never>): Promise<void> => {
    const text = textOf(change);
    await mail({ to: change.customerId, subject: `Order ${change.orderId}: ${change.status}`, text }, context);
    const { orderId, customerId, status: step, at } = change;
    const { changes } = await context.tx.run("insert into notification_notes (order_id, step, text, at) values (?, ?, ?, ?) on conflict do nothing", orderId, step, text, at);
    if (changes === 1) context.publish(NotificationSent, { orderId, customerId, step, text, at });
  };
  const definition = service(
    "notification",
    (on) => {
      for (const step of [OrderPlaced, OrderPaid, OrderShipped, OrderDelivered, OrderCancelled]) on(step, tell);
      on(StockLow, async ({ productId, onHand }, context) => {
        context.log.warn({ productId, onHand }, "stock is low");
        await mail({ to: "shopkeeper", subject: `${productId} runs low`, text: `Only ${onHand} pieces of ${productId} are left.` }, context);
      });
    },
    { retry: SOON },
  );
  return { service: definition, tables: TABLES };
}
