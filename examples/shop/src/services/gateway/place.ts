import { hash } from "node:crypto";
import type { BodyOf, Clock, Ids, Sender, Sql } from "postrider";
import { PlaceOrder } from "../../contracts/order.ts";
import type { Line, Status } from "../../contracts/shapes.ts";
import { PROGRESS } from "./progress.ts";

const MOST_WON = 1_000_000_000_000; // of one order: what adds thousands of them up still counts exactly

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

/** A wish that can be fulfilled, and the order that it becomes unless its key is taken. */
interface Priced {
  readonly wish: Wish;
  readonly order: BodyOf<typeof PlaceOrder>;
}

/**
 * Accepts orders: their keys, their rows and the commands to ordering are written in one unit of work. Their first step comes with ordering's news, as all others do:
 * history is written by one at a time, and customers do not wait in that line.
 *
 * Delivery: effectively once by the idempotency key; of overlapping calls one writes and the others read what it wrote.
 * @param wishes no two of them with the same key
 * @returns what became of each, in their order
 */
export async function placeOrders({ sender, clock, ids }: PlacingNeeds, wishes: readonly Wish[]): Promise<readonly Placing[]> {
  const prices = await pricesOf(sender.read, wishes);
  const placings = new Map<Wish, Placing>();
  const priced: Priced[] = [];
  for (const wish of wishes) {
    const bill = billOf(wish, prices);
    if ("outcome" in bill) placings.set(wish, bill);
    else
      priced.push({
        wish,
        order: { orderId: ids.next(), customerId: wish.customerId, ...bill, placedAt: new Date(clock.now()).toISOString() },
      });
  }
  if (priced.length > 0) for (const [wish, placing] of await write(sender, priced)) placings.set(wish, placing);
  return wishes.map((wish) => placings.get(wish)!);
}

async function write(sender: Sender, priced: readonly Priced[]): Promise<ReadonlyMap<Wish, Placing>> {
  return await sender.transaction(async ({ tx, send }) => {
    const placings = await claimed(tx, priced);
    const accepted = priced.filter(({ wish }) => !placings.has(wish));
    await insert(
      tx,
      "gateway_orders (order_id, customer_id, status, items, total, progress)",
      accepted.map(({ order }) => [
        order.orderId,
        order.customerId,
        "pending",
        JSON.stringify(order.items),
        order.totalAmount,
        PROGRESS.pending,
      ]),
    );
    for (const { wish, order } of accepted) {
      send(PlaceOrder, order, { correlationId: wish.correlationId });
      placings.set(wish, { outcome: "accepted", orderId: order.orderId, status: "pending" });
    }
    return placings;
  });
}

/** Takes the keys for these orders; what the earlier owners of some of them got. */
async function claimed(tx: Sql, priced: readonly Priced[]): Promise<Map<Wish, Placing>> {
  // In one order, or two who take the same keys would wait for each other.
  const keyed = priced.flatMap(({ wish, order: { orderId } }) =>
    wish.idempotencyKey === undefined ? [] : [{ wish, orderId, key: wish.idempotencyKey }],
  );
  keyed.sort((one, other) => (one.key < other.key ? -1 : 1));
  const rows = keyed.map(({ wish, orderId, key }) => [key, hashOf(wish), orderId]);
  const inserted = await insert(tx, "gateway_keys (idempotency_key, body_hash, order_id)", rows, "on conflict do nothing");
  if (inserted === keyed.length) return new Map();
  const owners = await tx.all<{ readonly key: string; readonly bodyHash: string; readonly orderId: string; readonly status: Status }>(
    `select k.idempotency_key as "key", k.body_hash as "bodyHash", k.order_id as "orderId", o.status
     from gateway_keys k join gateway_orders o on o.order_id = k.order_id where k.idempotency_key in (${placesOf(keyed)})`,
    ...keyed.map(({ key }) => key),
  );
  const ownerOf = new Map(owners.map((owner) => [owner.key, owner]));
  const earlier = keyed.flatMap(({ wish, key }): [Wish, Placing][] => {
    const owner = ownerOf.get(key);
    if (owner === undefined) return []; // ours: there is no order of it yet
    if (owner.bodyHash !== hashOf(wish)) return [[wish, { outcome: "otherBody" }]];
    return [[wish, { outcome: "repeated", orderId: owner.orderId, status: owner.status }]];
  });
  return new Map(earlier);
}

/** Inserts rows of equal length in one statement. Returns how many there are now that were not before. */
async function insert(tx: Sql, into: string, rows: readonly (readonly (string | number)[])[], otherwise = ""): Promise<number> {
  if (rows.length === 0) return 0;
  const values = rows.map((row) => `(${placesOf(row)})`).join(", ");
  const { changes } = await tx.run(`insert into ${into} values ${values} ${otherwise}`.trimEnd(), ...rows.flat());
  return changes;
}

const placesOf = (values: readonly unknown[]): string => values.map(() => "?").join(", ");

const hashOf = ({ customerId, items }: Wish): string =>
  hash("sha256", JSON.stringify([customerId, items.map((item) => [item.productId, item.quantity])]), "base64url");

async function pricesOf(read: Sql, wishes: readonly Wish[]): Promise<ReadonlyMap<string, number>> {
  const products = [...new Set(wishes.flatMap(({ items }) => items.map(({ productId }) => productId)))];
  const rows = await read.all<{ readonly productId: string; readonly price: number }>(
    `select product_id as "productId", price from gateway_items where product_id in (${placesOf(products)})`,
    ...products,
  );
  return new Map(rows.map((row) => [row.productId, row.price]));
}

function billOf({ items }: Wish, prices: ReadonlyMap<string, number>): Placing | { readonly items: Line[]; readonly totalAmount: number } {
  const lines: Line[] = [];
  for (const { productId, quantity } of items) {
    const unitPrice = prices.get(productId);
    if (unitPrice === undefined) return { outcome: "unknownProduct", productId };
    lines.push({ productId, quantity, unitPrice });
  }
  const totalAmount = lines.reduce((sum, line) => sum + line.quantity * line.unitPrice, 0);
  return totalAmount <= MOST_WON ? { items: lines, totalAmount } : { outcome: "tooMuch" };
}
