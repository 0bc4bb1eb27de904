import { service } from "postrider";
import type { HandlerContext } from "postrider";
import { OrderDelivered } from "../../contracts/order.ts";
import {
  ReleaseStock,
  ReportStock,
  ReserveStock,
  SetStock,
  StockChanged,
  StockLow,
  StockRefused,
  StockReleased,
  StockReserved,
} from "../../contracts/stock.ts";
import { changed, feedTable, telling } from "../../feed.ts";
import { SOON } from "../../part.ts";
import type { Part } from "../../part.ts";
import { moved, ranLow } from "./stock.ts";
import type { Level } from "./stock.ts";
import { addReservation, count, endReservation, levelsOf, saveLevels, TABLES, takeUntold } from "./store.ts";

const FEED = { table: "inventory_tellings", tell: ReportStock, body: {}, delayMs: 50 };

/** Inventory: knows what is there, never less than nothing, and holds it for orders. Whoever moves stock takes the feed's row first, so one does at a time. */
export function inventory(): Part {
  const definition = service(
    "inventory",
    (on) => {
      on(SetStock, async ({ productId, onHand }, context) => {
        await changed(FEED, context);
        const [before] = await levelsOf(context.tx, [{ productId }]);
        const level = await count(context.tx, productId, onHand);
        announce(before === undefined ? [] : [before], [level], context);
        context.reply({ productId, onHand: level.onHand, reserved: level.reserved, sold: level.sold });
      });
      on(ReserveStock, async ({ orderId, items }, context) => {
        await changed(FEED, context);
        const before = await levelsOf(context.tx, items);
        const after = moved(before, items, "reserve");
        if (!(await addReservation(context.tx, orderId, items, after === undefined ? "refused" : "held"))) return;
        if (after === undefined) return void context.publish(StockRefused, { orderId });
        await saveLevels(context.tx, after);
        context.publish(StockReserved, { orderId });
        announce(before, after, context);
      });
      on(ReleaseStock, async ({ orderId }, context) => {
        if (await end(orderId, "released", context)) context.publish(StockReleased, { orderId });
      });
      on(OrderDelivered, async ({ orderId }, context) => void (await end(orderId, "sold", context)));
      on(ReportStock, async (_body, context) => {
        await telling(FEED, context);
        const { levels, isMore } = await takeUntold(context.tx);
        for (const level of levels) context.publish(StockChanged, level);
        if (isMore) await changed(FEED, context);
      });
    },
    { retry: SOON },
  );
  return { service: definition, tables: [...TABLES, feedTable(FEED.table)] };
}

/** Frees or takes away what an order holds. Whether it held anything. */
async function end(orderId: string, state: "released" | "sold", context: HandlerContext): Promise<boolean> {
  const [, items] = await Promise.all([changed(FEED, context), endReservation(context.tx, orderId, state)]);
  if (items === undefined) return false;
  const before = await levelsOf(context.tx, items);
  const after = moved(before, items, state === "released" ? "release" : "sell");
  if (after === undefined) throw new Error(`the stock of order ${orderId} does not hold what was reserved for it`);
  await saveLevels(context.tx, after);
  announce(before, after, context);
  return true;
}

function announce(before: readonly Level[], after: readonly Level[], { publish }: Pick<HandlerContext, "publish">): void {
  for (const level of after) {
    const was = before.find(({ productId }) => productId === level.productId);
    if (ranLow(was, level)) publish(StockLow, { productId: level.productId, onHand: level.onHand });
  }
}
