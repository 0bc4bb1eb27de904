import type { Sql } from "postrider";
import type { Line } from "../../contracts/shapes.ts";
import { Conflict } from "../../part.ts";
import type { Level } from "./stock.ts";

/** Inventory's tables. */
export const TABLES: readonly string[] = [
  `create table if not exists inventory_stock (
     product_id varchar(255) primary key, on_hand bigint not null check (on_hand >= 0), reserved bigint not null check (reserved >= 0),
     sold bigint not null, version bigint not null, told_version bigint not null default 0)`,
  "create index if not exists inventory_untold on inventory_stock (product_id) where told_version <> version",
  "create table if not exists inventory_reservations (order_id varchar(255) primary key, items text not null, state text not null)",
];

/** Whether an order's stock is held, was never there, is free again, or gone. */
export type ReservationState = "held" | "refused" | "released" | "sold";

const COLUMNS = 'product_id as "productId", on_hand as "onHand", reserved, sold, version';

/** The levels of the products of some lines, as far as they are known. */
export function levelsOf(tx: Sql, lines: readonly Pick<Line, "productId">[]): Promise<Level[]> {
  return tx.all<Level>(
    `select ${COLUMNS} from inventory_stock where product_id in (${lines.map(() => "?").join(", ")})`,
    ...lines.map((line) => line.productId),
  );
}

/** Writes levels that follow from those read. @throws Conflict when somebody else changed one since. */
export async function saveLevels(tx: Sql, levels: readonly Level[]): Promise<void> {
  const save = async ({ productId, onHand, reserved, sold, version }: Level): Promise<void> => {
    const { changes } = await tx.run(
      "update inventory_stock set on_hand = ?, reserved = ?, sold = ?, version = ? where product_id = ? and version = ?",
      onHand,
      reserved,
      sold,
      version,
      productId,
      version - 1,
    );
    if (changes !== 1) throw new Conflict(`the stock of ${productId}`);
  };
  await Promise.all(levels.map(save));
}

/** Says how much of a product is on hand; it may be new. */
export async function count(tx: Sql, productId: string, onHand: number): Promise<Level> {
  await tx.run(
    `insert into inventory_stock (product_id, on_hand, reserved, sold, version) values (?, ?, 0, 0, 1)
     on conflict (product_id) do update set on_hand = excluded.on_hand, version = inventory_stock.version + 1`,
    productId,
    onHand,
  );
  const [level] = await levelsOf(tx, [{ productId }]);
  return level!;
}

/** Remembers what an order holds; false when it asked before. */
export async function addReservation(tx: Sql, orderId: string, items: readonly Line[], state: ReservationState): Promise<boolean> {
  const held = JSON.stringify(items.map(({ productId, quantity }) => ({ productId, quantity })));
  const { changes } = await tx.run(
    "insert into inventory_reservations (order_id, items, state) values (?, ?, ?) on conflict do nothing",
    orderId,
    held,
    state,
  );
  return changes === 1;
}

/** Ends what an order holds and returns it; undefined when it holds nothing (any more). */
export async function endReservation(
  tx: Sql,
  orderId: string,
  state: "released" | "sold",
): Promise<Pick<Line, "productId" | "quantity">[] | undefined> {
  const [{ changes }, row] = await Promise.all([
    tx.run("update inventory_reservations set state = ? where order_id = ? and state = 'held'", state, orderId),
    tx.get<{ readonly items: string }>("select items from inventory_reservations where order_id = ?", orderId),
  ]);
  if (changes === 0) return undefined;
  return JSON.parse(row!.items) as Pick<Line, "productId" | "quantity">[];
}

const MOST_AT_ONCE = 200;

/** Takes products whose numbers nobody has been told yet; whether there are more. */
export async function takeUntold(tx: Sql): Promise<{ readonly levels: readonly Level[]; readonly isMore: boolean }> {
  const levels = await tx.all<Level>(`select ${COLUMNS} from inventory_stock where told_version <> version limit ${MOST_AT_ONCE}`);
  for (const { productId, version } of levels)
    await tx.run("update inventory_stock set told_version = ? where product_id = ?", version, productId);
  return { levels, isMore: levels.length === MOST_AT_ONCE };
}
