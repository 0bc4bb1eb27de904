import { describe, expect, test } from "vitest";
import { moved, ranLow } from "./stock.ts";
import type { Level } from "./stock.ts";

const level = (productId: string, onHand: number, reserved = 0, sold = 0): Level => ({ productId, onHand, reserved, sold, version: 1 });

describe("stock", () => {
  test.each([
    ["reserve", [10, 2, 1], [7, 5, 1]],
    ["release", [10, 3, 1], [13, 0, 1]],
    ["sell", [10, 3, 1], [10, 0, 4]],
  ] as const)("%s moves pieces and loses none", (move, [onHand, reserved, sold], [thenOnHand, thenReserved, thenSold]) => {
    expect(moved([level("a", onHand, reserved, sold)], [{ productId: "a", quantity: 3 }], move)).toEqual([
      { productId: "a", onHand: thenOnHand, reserved: thenReserved, sold: thenSold, version: 2 },
    ]);
  });

  test("is held for all lines of an order, or for none", () => {
    expect(
      moved(
        [level("a", 10), level("b", 1)],
        [
          { productId: "a", quantity: 1 },
          { productId: "b", quantity: 2 },
        ],
        "reserve",
      ),
    ).toBeUndefined();
    expect(
      moved(
        [level("a", 10)],
        [
          { productId: "a", quantity: 1 },
          { productId: "none", quantity: 1 },
        ],
        "reserve",
      ),
    ).toBeUndefined();
  });

  test("counts a product once that an order names twice", () => {
    const twice = [
      { productId: "a", quantity: 3 },
      { productId: "a", quantity: 4 },
    ];
    expect(moved([level("a", 6)], twice, "reserve")).toBeUndefined();
    expect(moved([level("a", 7)], twice, "reserve")).toEqual([{ productId: "a", onHand: 0, reserved: 7, sold: 0, version: 2 }]);
  });

  test("never gives back or sells what is not held", () => {
    expect(moved([level("a", 1, 1)], [{ productId: "a", quantity: 2 }], "release")).toBeUndefined();
    expect(moved([level("a", 1, 1)], [{ productId: "a", quantity: 2 }], "sell")).toBeUndefined();
  });

  test("is low when it falls to five, told once", () => {
    expect(ranLow(level("a", 6), level("a", 5))).toBe(true);
    expect(ranLow(level("a", 5), level("a", 4))).toBe(false);
    expect(ranLow(undefined, level("a", 4))).toBe(false);
    expect(ranLow(level("a", 9), level("a", 6))).toBe(false);
  });
});
