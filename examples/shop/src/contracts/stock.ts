import { command, event } from "postrider";
import { z } from "zod";
import { byOrder, Line, OrderRef } from "./shapes.ts";

/** How much of a product is free, held for open orders, and gone. */
export const StockLevel = z.object({ productId: z.string(), onHand: z.int(), reserved: z.int(), sold: z.int() });

/** How much of a product is free, held for open orders, and gone. */
export type StockLevel = z.infer<typeof StockLevel>;

/** Holds stock for an order: all of its lines, or none. */
export const ReserveStock = command("inventory.reserve", { schema: z.object({ orderId: z.string(), items: z.array(Line) }), key: byOrder });

/** Gives back what an order holds. */
export const ReleaseStock = command("inventory.release", { schema: OrderRef, key: byOrder });

/** Says how much of a product is free, as counted by hand. */
export const SetStock = command("inventory.set-stock", {
  schema: z.object({ productId: z.string(), onHand: z.int().nonnegative() }),
  reply: StockLevel,
  key: (body) => body.productId,
});

/** All lines of an order are held. */
export const StockReserved = event("stock.reserved", { schema: OrderRef, key: byOrder });

/** Some line of an order is not there; nothing is held. */
export const StockRefused = event("stock.refused", { schema: OrderRef, key: byOrder });

/** What an order held is free again. */
export const StockReleased = event("stock.released", { schema: OrderRef, key: byOrder });

/** Inventory tells itself to publish what has changed, a moment after it did. */
export const ReportStock = command("inventory.report", { schema: z.object({}), key: () => "stock" });

/**
 * A product's numbers, absolute, with a version that grows by each change: readers keep the highest and drop what comes late.
 *
 * So it needs no key, and not every change needs its own.
 */
export const StockChanged = event("stock.changed", { schema: StockLevel.extend({ version: z.int() }) });

/** A product has run low, told once each time it does. */
export const StockLow = event("stock.low", { schema: z.object({ productId: z.string(), onHand: z.int() }) });
