import type { Line } from "../../contracts/shapes.ts";

/** At this many on hand or fewer a product is low. */
const LOW_AT = 5;

/** A product's numbers. */
export interface Level {
  readonly productId: string;
  readonly onHand: number;
  readonly reserved: number;
  readonly sold: number;
  readonly version: number;
}

/** What can be done with what an order wants or holds. */
export type Move = "reserve" | "release" | "sell";

/** The levels after a move, or undefined when something is not there. */
export function moved(
  levels: readonly Level[],
  lines: readonly Pick<Line, "productId" | "quantity">[],
  move: Move,
): readonly Level[] | undefined {
  const after: Level[] = [];
  for (const [productId, quantity] of quantities(lines)) {
    const level = levels.find((one) => one.productId === productId);
    if (level === undefined) return undefined;
    const next = shift(level, quantity, move);
    if (next.onHand < 0 || next.reserved < 0) return undefined;
    after.push(next);
  }
  return after;
}

/** Whether a product has just run low. */
export function ranLow(before: Level | undefined, after: Level): boolean {
  return after.onHand <= LOW_AT && before !== undefined && before.onHand > LOW_AT;
}

function shift(level: Level, quantity: number, move: Move): Level {
  const version = level.version + 1;
  if (move === "reserve") return { ...level, version, onHand: level.onHand - quantity, reserved: level.reserved + quantity };
  if (move === "release") return { ...level, version, onHand: level.onHand + quantity, reserved: level.reserved - quantity };
  return { ...level, version, reserved: level.reserved - quantity, sold: level.sold + quantity };
}

/** Quantities by product: an order may name a product twice. */
function quantities(lines: readonly Pick<Line, "productId" | "quantity">[]): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const { productId, quantity } of lines) sums.set(productId, (sums.get(productId) ?? 0) + quantity);
  return sums;
}
