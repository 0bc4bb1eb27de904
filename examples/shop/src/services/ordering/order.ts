import { CANCELLED_BY_CUSTOMER, CARD_DECLINED, OUT_OF_STOCK } from "./reasons.ts";
import type { Line, Status } from "../../contracts/shapes.ts";

/**
 * Where an order stands. `reason` is set as soon as it is known that it will end cancelled.
 *
 *     reserving ──reserved──▶ charging ──captured──▶ packing ──prepared──▶ delivering ──delivered──▶ delivered
 *         │                      │                      │
 *         │ refused              │ declined             │ cancel
 *         ▼                      ▼                      ▼
 *     cancelled ◀──released── releasing ◀──refunded── refunding
 *
 * A cancel while stock or money is asked for waits for that answer, which then leads to `releasing` or `refunding`.
 * From `delivering` on it is too late.
 */
export type Stage = "reserving" | "charging" | "packing" | "delivering" | "delivered" | "refunding" | "releasing" | "cancelled";

/** An order as ordering knows it. */
export interface Order {
  readonly orderId: string;
  readonly customerId: string;
  readonly items: readonly Line[];
  readonly totalAmount: number;
  readonly stage: Stage;
  /** What the customer sees. */
  readonly status: Status;
  readonly reason: string | undefined;
  readonly chargeId: string | undefined;
  /** When its status changed last, in ISO 8601. */
  readonly at: string;
}

/** What can happen to an order. */
export type Happening =
  | { readonly what: "cancel" | "reserved" | "refused" | "declined" | "refunded" | "released" | "prepared" | "delivered" }
  | { readonly what: "captured"; readonly chargeId: string };

/** What is to be done about it: `tell` publishes the new status, the others are asked of their owners. */
export type Step = "tell" | "reserve" | "charge" | "arrange" | "dispatch" | "recall" | "refund" | "release" | "invoice";

/** What becomes of an order, and what is to be done. No steps and the same order: nothing. */
export interface Decision {
  readonly order: Order;
  readonly steps: readonly Step[];
}

/** An order at its beginning. */
export function placed(order: Pick<Order, "orderId" | "customerId" | "items" | "totalAmount" | "at">): Decision {
  return { order: { ...order, stage: "reserving", status: "pending", reason: undefined, chargeId: undefined }, steps: ["tell", "reserve"] };
}

/** Whether a cancel comes in time. One that comes again while the order is on its way back does. */
export function canCancel(order: Order): boolean {
  return order.stage !== "delivering" && order.stage !== "delivered" && order.stage !== "cancelled";
}

/** What a happening means for an order. What does not fit its stage is late or repeated, and means nothing. */
export function decide(order: Order, happening: Happening, now: string): Decision {
  const at = now > order.at ? now : order.at; // a clock that went back must not turn the history around
  switch (order.stage) {
    case "reserving":
      return whileReserving(order, happening, at);
    case "charging":
      return whileCharging(order, happening, at);
    case "packing":
      if (happening.what === "prepared") return go(order, { stage: "delivering", status: "shipped", at }, ["tell", "dispatch"]);
      if (happening.what === "cancel") return go(order, { stage: "refunding", reason: CANCELLED_BY_CUSTOMER }, ["recall", "refund"]);
      break;
    case "delivering":
      if (happening.what === "delivered") return go(order, { stage: "delivered", status: "delivered", at }, ["tell", "invoice"]);
      break;
    case "refunding":
      if (happening.what === "refunded") return go(order, { stage: "releasing" }, ["release"]);
      break;
    case "releasing":
      if (happening.what === "released") return go(order, { stage: "cancelled", status: "cancelled", at }, ["tell"]);
      break;
    case "delivered":
    case "cancelled":
      break;
  }
  return { order, steps: [] };
}

function whileReserving(order: Order, happening: Happening, at: string): Decision {
  if (happening.what === "cancel") return go(order, { reason: CANCELLED_BY_CUSTOMER }, []);
  if (happening.what === "refused")
    return go(order, { stage: "cancelled", status: "cancelled", at, reason: order.reason ?? OUT_OF_STOCK }, ["tell"]);
  if (happening.what !== "reserved") return { order, steps: [] };
  if (order.reason !== undefined) return go(order, { stage: "releasing" }, ["release"]);
  return go(order, { stage: "charging", status: "reserved", at }, ["tell", "charge"]);
}

function whileCharging(order: Order, happening: Happening, at: string): Decision {
  if (happening.what === "cancel") return go(order, { reason: CANCELLED_BY_CUSTOMER }, []);
  if (happening.what === "declined") return go(order, { stage: "releasing", reason: order.reason ?? CARD_DECLINED }, ["release"]);
  if (happening.what !== "captured") return { order, steps: [] };
  const { chargeId } = happening;
  if (order.reason !== undefined) return go(order, { stage: "refunding", chargeId }, ["refund"]);
  return go(order, { stage: "packing", status: "paid", at, chargeId }, ["tell", "arrange"]);
}

const go = (order: Order, change: Partial<Order>, steps: readonly Step[]): Decision => ({ order: { ...order, ...change }, steps });
