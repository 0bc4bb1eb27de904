import { service } from "postrider";
import type { HandlerContext } from "postrider";
import { CancelOrder, PlaceOrder } from "../../contracts/order.ts";
import { PaymentCaptured, PaymentDeclined, PaymentRefunded } from "../../contracts/payment.ts";
import { ShipmentDelivered, ShipmentPrepared } from "../../contracts/shipping.ts";
import { StockRefused, StockReleased, StockReserved } from "../../contracts/stock.ts";
import { SOON } from "../../part.ts";
import type { Part } from "../../part.ts";
import { canCancel, decide, placed } from "./order.ts";
import type { Happening } from "./order.ts";
import { carryOut } from "./steps.ts";
import { add, find, save, TABLES } from "./store.ts";
import type { Stored } from "./store.ts";

/** Ordering: owns the order from its acceptance to its end, and asks the others for their share. */
export function ordering(): Part {
  const definition = service(
    "ordering",
    (on) => {
      on(PlaceOrder, async ({ placedAt, ...order }, context) => {
        const decision = placed({ ...order, at: placedAt });
        if (await add(context.tx, decision.order)) carryOut(decision, undefined, context);
      });
      on(CancelOrder, async ({ orderId }, context) => {
        const found = await find(context.tx, orderId);
        // The gateway knows the order, so its placing is on the way: run again when it is here. The request expires by itself.
        if (found === undefined) throw new OrderNotHere(orderId);
        const isInTime = canCancel(found.order);
        if (isInTime) await proceed(found, { what: "cancel" }, context);
        context.reply({ outcome: isInTime ? "accepted" : "tooLate" });
      });
      on(StockReserved, ({ orderId }, context) => happen(orderId, { what: "reserved" }, context));
      on(StockRefused, ({ orderId }, context) => happen(orderId, { what: "refused" }, context));
      on(StockReleased, ({ orderId }, context) => happen(orderId, { what: "released" }, context));
      on(PaymentCaptured, ({ orderId, chargeId }, context) => happen(orderId, { what: "captured", chargeId }, context));
      on(PaymentDeclined, ({ orderId }, context) => happen(orderId, { what: "declined" }, context));
      on(PaymentRefunded, ({ orderId }, context) => happen(orderId, { what: "refunded" }, context));
      on(ShipmentPrepared, ({ orderId }, context) => happen(orderId, { what: "prepared" }, context));
      on(ShipmentDelivered, ({ orderId }, context) => happen(orderId, { what: "delivered" }, context));
    },
    { retry: SOON },
  );
  return { service: definition, tables: TABLES };
}

class OrderNotHere extends Error {
  override readonly name = "OrderNotHere";
  readonly code = "ordering.not-here-yet";
  constructor(orderId: string) {
    super(`order ${orderId} has not reached ordering yet`);
  }
}

async function happen(orderId: string, happening: Happening, context: HandlerContext): Promise<void> {
  const found = await find(context.tx, orderId);
  if (found === undefined) return context.log.warn({ orderId, happening: happening.what }, "news of an order that ordering does not know");
  await proceed(found, happening, context);
}

async function proceed({ order, version }: Stored, happening: Happening, context: HandlerContext): Promise<void> {
  const decision = decide(order, happening, new Date(context.clock.now()).toISOString());
  if (decision.order === order) return;
  await save(context.tx, decision.order, version);
  carryOut(decision, order, context);
}
