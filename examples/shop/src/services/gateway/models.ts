import type { BodyOf, Sql } from "postrider";
import type { RecommendationChanged, Sums } from "../../contracts/insight.ts";
import type { OrderChange } from "../../contracts/order.ts";
import type { Invoice, Note } from "../../contracts/papers.ts";
import type { ItemListed, MemberContactChanged, MemberUpdated } from "../../contracts/people.ts";
import type { StockChanged } from "../../contracts/stock.ts";
import { PROGRESS } from "./progress.ts";

/** Writes a step of an order's history, once, and how the order stands; one that comes late or again changes neither. */
export async function keepStep(
  tx: Sql,
  { orderId, status, at, reason }: Pick<OrderChange, "orderId" | "status" | "at" | "reason">,
): Promise<void> {
  const kept = tx.run("insert into gateway_history (order_id, status, at) values (?, ?, ?) on conflict do nothing", orderId, status, at);
  if (status === "pending") return void (await kept); // as it was written when it was accepted
  const progress = PROGRESS[status];
  const standing =
    status === "cancelled"
      ? tx.run("update gateway_orders set status = ?, reason = ? where order_id = ?", status, reason ?? null, orderId)
      : tx.run(
          "update gateway_orders set status = ?, progress = ? where order_id = ? and progress < ? and status <> 'cancelled'",
          status,
          progress,
          orderId,
          progress,
        );
  await Promise.all([kept, standing]);
}

/** Keeps a product's newest numbers. */
export async function keepStock(tx: Sql, { productId, onHand, reserved, sold, version }: BodyOf<typeof StockChanged>): Promise<void> {
  await tx.run(
    `insert into gateway_stock (product_id, on_hand, reserved, sold, version) values (?, ?, ?, ?, ?)
     on conflict (product_id) do update set on_hand = excluded.on_hand, reserved = excluded.reserved, sold = excluded.sold, version = excluded.version
     where gateway_stock.version < excluded.version`,
    productId,
    onHand,
    reserved,
    sold,
    version,
  );
}

/** Keeps an item's newest state. */
export async function keepItem(
  tx: Sql,
  { productId, name, price, memberId, memberName, version }: BodyOf<typeof ItemListed>,
): Promise<void> {
  await tx.run(
    `insert into gateway_items (product_id, name, price, member_id, member_name, version) values (?, ?, ?, ?, ?, ?)
     on conflict (product_id) do update set name = excluded.name, price = excluded.price, member_id = excluded.member_id,
       member_name = excluded.member_name, version = excluded.version
     where gateway_items.version < excluded.version`,
    productId,
    name,
    price,
    memberId,
    memberName,
    version,
  );
}

/** Keeps an invoice. */
export async function keepInvoice(tx: Sql, invoice: Invoice): Promise<void> {
  await tx.run(
    "insert into gateway_invoices (order_id, customer_id, body) values (?, ?, ?) on conflict do nothing",
    invoice.orderId,
    invoice.customerId,
    JSON.stringify(invoice),
  );
}

/** Keeps what customers were told. */
export async function keepNotes(tx: Sql, notes: readonly Note[]): Promise<void> {
  if (notes.length === 0) return;
  await tx.run(
    `insert into gateway_notes (order_id, step, customer_id, text, at) values ${notes.map(() => "(?, ?, ?, ?, ?)").join(", ")} on conflict do nothing`,
    ...notes.flatMap(({ orderId, customerId, step, text, at }) => [orderId, step, customerId, text, at]),
  );
}

/** Keeps the newest sums; they come in order. */
export async function keepSums(tx: Sql, sums: Sums): Promise<void> {
  await tx.run(
    "insert into gateway_analytics (name, body) values ('sums', ?) on conflict (name) do update set body = excluded.body",
    JSON.stringify(sums),
  );
}

/** Keeps a product's companions; a product's changes come in order. */
export async function keepRecommendation(tx: Sql, { productId, boughtTogether }: BodyOf<typeof RecommendationChanged>): Promise<void> {
  await tx.run(
    "insert into gateway_recommendations (product_id, body) values (?, ?) on conflict (product_id) do update set body = excluded.body",
    productId,
    JSON.stringify(boughtTogether),
  );
}

/** Keeps a member's name; a member's changes come in order. */
export async function keepName(tx: Sql, { memberId, firstName, lastName }: BodyOf<typeof MemberUpdated>): Promise<void> {
  await tx.run(
    `insert into gateway_members (member_id, first_name, last_name) values (?, ?, ?)
     on conflict (member_id) do update set first_name = excluded.first_name, last_name = excluded.last_name`,
    memberId,
    firstName,
    lastName,
  );
}

/** Keeps a member's address. */
export async function keepAddress(tx: Sql, { memberId, email }: BodyOf<typeof MemberContactChanged>): Promise<void> {
  await tx.run(
    "insert into gateway_members (member_id, email) values (?, ?) on conflict (member_id) do update set email = excluded.email",
    memberId,
    email,
  );
}
