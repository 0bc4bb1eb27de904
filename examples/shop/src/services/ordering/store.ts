import type { Sql } from "postrider";
import { Conflict } from "../../part.ts";
import type { Line, Status } from "../../contracts/shapes.ts";
import type { Order, Stage } from "./order.ts";

/** Ordering's tables. */
export const TABLES: readonly string[] = [
  `create table if not exists ordering_orders (
     order_id varchar(255) primary key, customer_id text not null, items text not null, total bigint not null, stage text not null,
     status text not null, reason text, charge_id text, at text not null, version bigint not null)`,
];

/** An order as it was read, with the version that its next write must find. */
export interface Stored {
  readonly order: Order;
  readonly version: number;
}

interface Row {
  readonly order_id: string;
  readonly customer_id: string;
  readonly items: string;
  readonly total: number;
  readonly stage: Stage;
  readonly status: Status;
  readonly reason: string | null;
  readonly charge_id: string | null;
  readonly at: string;
  readonly version: number;
}

/** The order, or undefined. */
export async function find(tx: Sql, orderId: string): Promise<Stored | undefined> {
  const row = await tx.get<Row>("select * from ordering_orders where order_id = ?", orderId);
  if (row === undefined) return undefined;
  const order: Order = {
    orderId: row.order_id,
    customerId: row.customer_id,
    items: JSON.parse(row.items) as Line[],
    totalAmount: row.total,
    stage: row.stage,
    status: row.status,
    reason: row.reason ?? undefined,
    chargeId: row.charge_id ?? undefined,
    at: row.at,
  };
  return { order, version: row.version };
}

/** Adds a new order; false when it is there. */
export async function add(tx: Sql, order: Order): Promise<boolean> {
  const { changes } = await tx.run(
    "insert into ordering_orders (order_id, customer_id, items, total, stage, status, at, version) values (?, ?, ?, ?, ?, ?, ?, 1) on conflict do nothing",
    order.orderId,
    order.customerId,
    JSON.stringify(order.items),
    order.totalAmount,
    order.stage,
    order.status,
    order.at,
  );
  return changes === 1;
}

/** Writes what became of an order. @throws Conflict when somebody else wrote it since it was read. */
export async function save(tx: Sql, order: Order, version: number): Promise<void> {
  const { changes } = await tx.run(
    "update ordering_orders set stage = ?, status = ?, reason = ?, charge_id = ?, at = ?, version = version + 1 where order_id = ? and version = ?",
    order.stage,
    order.status,
    order.reason ?? null,
    order.chargeId ?? null,
    order.at,
    order.orderId,
    version,
  );
  if (changes !== 1) throw new Conflict(`order ${order.orderId}`);
}
