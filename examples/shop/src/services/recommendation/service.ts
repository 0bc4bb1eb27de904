import { service } from "postrider";
import type { Sql } from "postrider";
import { RecommendationChanged } from "../../contracts/insight.ts";
import { OrderDelivered } from "../../contracts/order.ts";
import { SOON } from "../../part.ts";
import type { Part } from "../../part.ts";

const TABLES: readonly string[] = [
  "create table if not exists recommendation_products (product_id varchar(255) primary key, deliveries bigint not null)",
  "create table if not exists recommendation_pairs (product_id varchar(255) not null, other_id varchar(255) not null, count bigint not null, primary key (product_id, other_id))",
];
const MOST_SHOWN = 10;
const MOST_PAIRED = 20; // pairs grow with the square of an order's products; the first twenty tell enough

/** Recommendation: counts what was delivered together. */
export function recommendation(): Part {
  const definition = service(
    "recommendation",
    (on) => {
      on(OrderDelivered, async ({ items = [] }, { tx, publish }) => {
        const products = [...new Set(items.map((line) => line.productId))].slice(0, MOST_PAIRED).sort();
        if (products.length < 2) return;
        for (const productId of products) await takeProduct(tx, productId);
        for (const productId of products) {
          for (const otherId of products) if (otherId !== productId) await countPair(tx, productId, otherId);
          publish(RecommendationChanged, { productId, boughtTogether: await companionsOf(tx, productId) });
        }
      });
    },
    { retry: SOON },
  );
  return { service: definition, tables: TABLES };
}

/** Where units of work run side by side, one at a time counts a product's pairs: what it then tells misses none. Called in one order, so that no two wait for each other. */
async function takeProduct(tx: Sql, productId: string): Promise<void> {
  await tx.run(
    `insert into recommendation_products (product_id, deliveries) values (?, 1)
     on conflict (product_id) do update set deliveries = recommendation_products.deliveries + 1`,
    productId,
  );
}

async function countPair(tx: Sql, productId: string, otherId: string): Promise<void> {
  await tx.run(
    `insert into recommendation_pairs (product_id, other_id, count) values (?, ?, 1)
     on conflict (product_id, other_id) do update set count = recommendation_pairs.count + 1`,
    productId,
    otherId,
  );
}

function companionsOf(tx: Sql, productId: string): Promise<{ productId: string; count: number }[]> {
  return tx.all(
    `select other_id as "productId", count from recommendation_pairs where product_id = ? order by count desc, other_id limit ${MOST_SHOWN}`,
    productId,
  );
}
