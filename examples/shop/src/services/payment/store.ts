import type { Sql } from "postrider";

/** Payment's tables. */
export const TABLES: readonly string[] = [
  `create table if not exists payment_movements (
     order_id varchar(255) not null, kind varchar(255) not null, charge_id text, amount bigint not null, primary key (order_id, kind))`,
];

/** Money that moved, or a charge that was declined (no charge id). */
export interface Movement {
  readonly orderId: string;
  readonly kind: "charge" | "refund";
  readonly chargeId: string | null;
  readonly amount: number;
}

/** Writes a movement down; false when it was there. */
export async function record(tx: Sql, movement: Movement): Promise<boolean> {
  const { changes } = await tx.run(
    "insert into payment_movements (order_id, kind, charge_id, amount) values (?, ?, ?, ?) on conflict do nothing",
    movement.orderId,
    movement.kind,
    movement.chargeId,
    movement.amount,
  );
  return changes === 1;
}
