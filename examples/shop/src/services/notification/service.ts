import { service } from "postrider";
import type { HandlerContext } from "postrider";
import { OrderCancelled, OrderDelivered, OrderPaid, OrderPlaced, OrderShipped } from "../../contracts/order.ts";
import type { OrderChange } from "../../contracts/order.ts";
import { NotificationsSent, ReportNotes } from "../../contracts/papers.ts";
import type { Note } from "../../contracts/papers.ts";
import { StockLow } from "../../contracts/stock.ts";
import { changed, feedTable, telling } from "../../feed.ts";
import { SOON } from "../../part.ts";
import type { Part } from "../../part.ts";
import { textOf } from "./texts.ts";

const FEED = { table: "notification_tellings", tell: ReportNotes, body: {}, delayMs: 50 };
const TABLES: readonly string[] = [
  `create table if not exists notification_notes (
     order_id varchar(255) not null, step varchar(255) not null, customer_id text not null, text text not null, at text not null, reported bigint not null default 0,
     primary key (order_id, step))`,
  "create index if not exists notification_unreported on notification_notes (order_id) where reported = 0",
  feedTable(FEED.table),
];
const MOST_AT_ONCE = 200; // some 50 KiB

/** Notification: tells customers of each step but the reservation, once, by writing it into their box; and the log of low stock. */
export function notification(): Part {
  const definition = service(
    "notification",
    (on) => {
      for (const step of [OrderPlaced, OrderPaid, OrderShipped, OrderDelivered, OrderCancelled]) on(step, tell);
      on(ReportNotes, report);
      on(StockLow, ({ productId, onHand }, { log }) => log.warn({ productId, onHand }, "stock is low"));
    },
    { retry: SOON },
  );
  return { service: definition, tables: TABLES };
}

async function tell(change: OrderChange, context: HandlerContext): Promise<void> {
  const { orderId, customerId, status: step, at } = change;
  // Side by side: a note that was there already makes the next report find nothing new, and no more.
  await Promise.all([
    context.tx.run(
      "insert into notification_notes (order_id, step, customer_id, text, at) values (?, ?, ?, ?, ?) on conflict do nothing",
      orderId,
      step,
      customerId,
      textOf(change),
      at,
    ),
    changed(FEED, context),
  ]);
}

async function report(_body: object, context: HandlerContext): Promise<void> {
  const { tx, publish } = context;
  await telling(FEED, context);
  const found = await tx.all<Note>(
    `select order_id as "orderId", customer_id as "customerId", step, text, at from notification_notes
     where reported = 0 order by order_id limit ${MOST_AT_ONCE}`,
  );
  const isMore = found.length === MOST_AT_ONCE;
  const notes = isMore ? found.filter(({ orderId }) => orderId !== found.at(-1)!.orderId) : found; // of the last order there may be more
  if (notes.length > 0) {
    const orders = [...new Set(notes.map(({ orderId }) => orderId))];
    await tx.run(
      `update notification_notes set reported = 1 where reported = 0 and order_id in (${orders.map(() => "?").join(", ")})`,
      ...orders,
    );
    publish(NotificationsSent, { notes });
  }
  if (isMore) await changed(FEED, context);
}
