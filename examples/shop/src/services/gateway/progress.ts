import type { Status } from "../../contracts/shapes.ts";

/** How far an order has come, in percent. A cancelled one stays where it was. */
export const PROGRESS: Readonly<Record<Status, number>> = {
  pending: 10,
  reserved: 30,
  paid: 50,
  shipped: 75,
  delivered: 100,
  cancelled: 0,
};
