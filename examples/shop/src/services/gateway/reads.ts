import type { Sql } from "postrider";
import type { BoughtTogether, Sums } from "../../contracts/insight.ts";
import type { Invoice } from "../../contracts/papers.ts";
import { fullName } from "../../contracts/people.ts";
import type { Item } from "../../contracts/people.ts";
import type { StockLevel } from "../../contracts/stock.ts";
import { STATUSES } from "../../contracts/shapes.ts";
import type { Line, Status } from "../../contracts/shapes.ts";
import type { z } from "zod";

/** The most rows of one list. */
export const MOST_ROWS = 5_000;

/** An order as it is shown. */
export interface OrderView {
  readonly orderId: string;
  readonly customerId: string;
  readonly status: Status;
  readonly items: readonly Line[];
  readonly totalAmount: number;
  readonly progress: number;
  readonly reason?: string;
  readonly history: readonly { readonly status: Status; readonly at: string }[];
}

interface OrderRow {
  readonly order_id: string;
  readonly customer_id: string;
  readonly status: Status;
  readonly items: string;
  readonly total: number;
  readonly reason: string | null;
  readonly progress: number;
}

interface StepRow {
  readonly order_id: string;
  readonly status: Status;
  readonly at: string;
}

/** One order, or undefined. */
export async function orderOf(read: Sql, orderId: string): Promise<OrderView | undefined> {
  const row = await read.get<OrderRow>("select * from gateway_orders where order_id = ?", orderId);
  if (row === undefined) return undefined;
  return toOrder(row, await read.all<StepRow>("select order_id, status, at from gateway_history where order_id = ? order by id", orderId));
}

/** Those of some orders that nothing is known of but that they were accepted. */
export async function pendingOf(read: Sql, orderIds: readonly string[]): Promise<readonly string[]> {
  const rows = await read.all<Pick<OrderRow, "order_id">>(
    `select order_id from gateway_orders where order_id in (${orderIds.map(() => "?").join(", ")}) and status = 'pending'`,
    ...orderIds,
  );
  return rows.map((row) => row.order_id);
}

/** The newest orders, of one customer or of all. */
export async function ordersOf(read: Sql, customerId: string | undefined, limit: number): Promise<readonly OrderView[]> {
  const which = customerId === undefined ? "" : "where customer_id = ?";
  const parameters = customerId === undefined ? [limit] : [customerId, limit];
  const rows = await read.all<OrderRow>(`select * from gateway_orders ${which} order by order_id desc limit ?`, ...parameters);
  const steps = await read.all<StepRow>(
    `select step.order_id, step.status, step.at from gateway_history step
     join (select order_id from gateway_orders ${which} order by order_id desc limit ?) newest on newest.order_id = step.order_id order by step.id`,
    ...parameters,
  );
  const byOrder = Map.groupBy(steps, (step) => step.order_id);
  return rows.map((row) => toOrder(row, byOrder.get(row.order_id) ?? []));
}

function toOrder(row: OrderRow, steps: readonly StepRow[]): OrderView {
  return {
    orderId: row.order_id,
    customerId: row.customer_id,
    status: row.status,
    items: JSON.parse(row.items) as Line[],
    totalAmount: row.total,
    progress: row.progress,
    ...(row.reason === null ? {} : { reason: row.reason }),
    history: steps.length === 0 ? [{ status: row.status, at: acceptedAt(row.order_id) }] : steps.map(({ status, at }) => ({ status, at })),
  };
}

/** When an order was accepted, by its id: what is known of its history until ordering's first word is here. */
function acceptedAt(orderId: string): string {
  return new Date(Number.parseInt(orderId.replaceAll("-", "").slice(0, 12), 16)).toISOString();
}

const STOCK = 'select product_id as "productId", on_hand as "onHand", reserved, sold from gateway_stock';

/** A product's stock, or undefined. */
export const stockOf = (read: Sql, productId: string): Promise<StockLevel | undefined> =>
  read.get<StockLevel>(`${STOCK} where product_id = ?`, productId);

/** All stock. */
export const allStock = (read: Sql): Promise<StockLevel[]> => read.all<StockLevel>(`${STOCK} order by product_id limit ${MOST_ROWS}`);

const ITEM = 'select product_id as "productId", name, price, member_id as "memberId", member_name as "memberName" from gateway_items';

/** An item, or undefined. */
export const itemOf = (read: Sql, productId: string): Promise<Item | undefined> =>
  read.get<Item>(`${ITEM} where product_id = ?`, productId);

/** All items. */
export const allItems = (read: Sql): Promise<Item[]> => read.all<Item>(`${ITEM} order by product_id limit ${MOST_ROWS}`);

/** A member as it is shown. */
export interface MemberView {
  readonly memberId: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly name: string;
  readonly email: string;
}

/** A member, or undefined. */
export async function memberOf(read: Sql, memberId: string): Promise<MemberView | undefined> {
  const row = await read.get<Omit<MemberView, "name">>(
    `select member_id as "memberId", first_name as "firstName", last_name as "lastName", email from gateway_members
     where member_id = ? and first_name is not null and email is not null`,
    memberId,
  );
  return row === undefined
    ? undefined
    : { memberId: row.memberId, firstName: row.firstName, lastName: row.lastName, name: fullName(row), email: row.email };
}

interface BodyRow {
  readonly body: string;
}

/** An order's invoice, or undefined. */
export async function invoiceOf(read: Sql, orderId: string): Promise<Invoice | undefined> {
  const row = await read.get<BodyRow>("select body from gateway_invoices where order_id = ?", orderId);
  return row === undefined ? undefined : (JSON.parse(row.body) as Invoice);
}

/** The newest invoices of a customer. */
export async function invoicesOf(read: Sql, customerId: string, limit: number): Promise<readonly Invoice[]> {
  const rows = await read.all<BodyRow>(
    "select body from gateway_invoices where customer_id = ? order by order_id desc limit ?",
    customerId,
    limit,
  );
  return rows.map((row) => JSON.parse(row.body) as Invoice);
}

/** What a customer was told, newest first. */
export function notesOf(
  read: Sql,
  customerId: string,
  limit: number,
): Promise<{ orderId: string; step: Status; text: string; at: string }[]> {
  return read.all(
    'select order_id as "orderId", step, text, at from gateway_notes where customer_id = ? order by at desc limit ?',
    customerId,
    limit,
  );
}

/** The sums as they were last reported. */
export async function sumsOf(read: Sql): Promise<Sums> {
  const row = await read.get<BodyRow>("select body from gateway_analytics where name = 'sums'");
  if (row !== undefined) return JSON.parse(row.body) as Sums;
  const byStatus = Object.fromEntries(STATUSES.map((status) => [status, 0])) as Record<Status, number>;
  return { totalOrders: 0, totalRevenue: 0, failedPayments: 0, byStatus, vipOrders: 0 };
}

/** What is bought along with a product. */
export async function companionsOf(read: Sql, productId: string): Promise<z.infer<typeof BoughtTogether>> {
  const row = await read.get<BodyRow>("select body from gateway_recommendations where product_id = ?", productId);
  return row === undefined ? [] : (JSON.parse(row.body) as z.infer<typeof BoughtTogether>);
}
