import { service } from "postrider";
import type { HandlerContext } from "postrider";
import { ReleaseStock, ReserveStock, SellStock, SetStock, StockChanged, StockLow, StockRefused, StockReleased, StockReserved } from "../../contracts/stock.ts";
import { SOON } from "../../part.ts";
import type { Part } from "../../part.ts";
import { moved, ranLow } from "./stock.ts";
import type { Level } from "./stock.ts";
import { addReservation, count, endReservation, levelsOf, saveLevels, TABLES } from "./store.ts";

/** Inventory: knows what is there, never less than nothing, and holds it for orders. */
export function inventory(): Part {
  const definition = service(
    "inventory",
    (on) => {
      on(SetStock, async ({ productId, onHand }, context) => {
        const [before] = await levelsOf(context.tx, [{ productId }]);
        const level = await count(context.tx, productId, onHand);
        announce(before === undefined ? [] : [before], [level], context);
        context.reply({ productId, onHand: level.onHand, reserved: level.reserved, sold: level.sold });
      });
      on(ReserveStock, async ({ orderId, items }, context) => {
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
      on(SellStock, async ({ orderId }, context) => void (await end(orderId, "sold", context)));
    },
    { retry: SOON },
  );
  return { service: definition, tables: TABLES };
}

/** Frees or takes away what an order holds. Whether it held anything. */
async function end(orderId: string, state: "released" | "sold", context: HandlerContext<never>): Promise<boolean> {
  const items = await endReservation(context.tx, orderId, state);
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
    publish(StockChanged, { ...level });
    const was = before.find(({ productId }) => productId === level.productId);
    if (ranLow(was, level)) publish(StockLow, { productId: level.productId, onHand: level.onHand });
  }
}
