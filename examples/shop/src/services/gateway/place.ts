import { hash } from "node:crypto";
import type { Clock, Ids, Sender, Sql } from "postrider";
import { PlaceOrder } from "../../contracts/order.ts";
import type { Line, Status } from "../../contracts/shapes.ts";
import { PROGRESS } from "./progress.ts";

/** An order as a customer gives it. */
export interface Wish {
  readonly customerId: string;
  readonly items: readonly { readonly productId: string; readonly quantity: number }[];
  /** The customer's key: the same one never makes two orders. */
  readonly idempotencyKey: string | undefined;
  readonly correlationId: string;
}

/** What became of a wish. */
export type Placing =
  | { readonly outcome: "accepted" | "repeated"; readonly orderId: string; readonly status: Status }
  | { readonly outcome: "otherBody" | "tooMuch" }
  | { readonly outcome: "unknownProduct"; readonly productId: string };

/** What placing needs. */
export interface PlacingNeeds {
  readonly sender: Sender;
  readonly clock: Clock;
  readonly ids: Ids;
}

/**
 * Accepts an order: its key, its row and the command to ordering are written in one unit of work. Its first step comes with ordering's news, as all others do:
 * history is written by one at a time, and customers do not wait in that line.
 *
 * Delivery: effectively once by the idempotency key; of overlapping calls one writes and the others read what it wrote.
 */
export async function placeOrder({ sender, clock, ids }: PlacingNeeds, wish: Wish): Promise<Placing> {
  const priced = await priceOf(sender.read, wish);
  if ("outcome" in priced) return priced;
  const { customerId, idempotencyKey, correlationId } = wish;
  const order = { orderId: ids.next(), customerId, ...priced, placedAt: new Date(clock.now()).toISOString() };
  return await sender.transaction(async ({ tx, send }) => {
    const earlier = idempotencyKey === undefined ? undefined : await claim(tx, idempotencyKey, order.orderId, hashOf(wish));
    if (earlier !== undefined) return earlier;
    await tx.run(
      "insert into gateway_orders (order_id, customer_id, status, items, total, progress) values (?, ?, 'pending', ?, ?, ?)",
      order.orderId,
      customerId,
      JSON.stringify(order.items),
      order.totalAmount,
      PROGRESS.pending,
    );
    send(PlaceOrder, order, { correlationId });
    return { outcome: "accepted", orderId: order.orderId, status: "pending" };
  });
}

/** Takes the key for this order; what its earlier owner got, if there is one. */
async function claim(tx: Sql, key: string, orderId: string, bodyHash: string): Promise<Placing | undefined> {
  const { changes } = await tx.run(
    "insert into gateway_keys (idempotency_key, body_hash, order_id) values (?, ?, ?) on conflict do nothing",
    key,
    bodyHash,
    orderId,
  );
  if (changes === 1) return undefined;
  const earlier = await tx.get<{ readonly bodyHash: string; readonly orderId: string; readonly status: Status }>(
    `select k.body_hash as "bodyHash", k.order_id as "orderId", o.status from gateway_keys k join gateway_orders o on o.order_id = k.order_id where k.idempotency_key = ?`,
    key,
  );
  if (earlier === undefined || earlier.bodyHash !== bodyHash) return { outcome: "otherBody" };
  return { outcome: "repeated", orderId: earlier.orderId, status: earlier.status };
}

const hashOf = ({ customerId, items }: Wish): string =>
  hash("sha256", JSON.stringify([customerId, items.map((item) => [item.productId, item.quantity])]), "base64url");

async function priceOf(read: Sql, { items }: Wish): Promise<Placing | { readonly items: Line[]; readonly totalAmount: number }> {
  const rows = await read.all<{ readonly productId: string; readonly price: number }>(
    `select product_id as "productId", price from gateway_items where product_id in (${items.map(() => "?").join(", ")})`,
    ...items.map((item) => item.productId),
  );
  const prices = new Map(rows.map((row) => [row.productId, row.price]));
  const lines: Line[] = [];
  for (const { productId, quantity } of items) {
    const unitPrice = prices.get(productId);
    if (unitPrice === undefined) return { outcome: "unknownProduct", productId };
    lines.push({ productId, quantity, unitPrice });
  }
  const totalAmount = lines.reduce((sum, line) => sum + line.quantity * line.unitPrice, 0);
  return Number.isSafeInteger(totalAmount) ? { items: lines, totalAmount } : { outcome: "tooMuch" };
}
