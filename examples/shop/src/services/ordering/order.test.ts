import { describe, expect, test } from "vitest";
import { canCancel, decide, placed } from "./order.ts";
import type { Decision, Happening, Order, Stage } from "./order.ts";

const begin = placed({
  orderId: "o-1",
  customerId: "c-1",
  items: [{ productId: "p-1", quantity: 2, unitPrice: 500 }],
  totalAmount: 1_000,
  at: "2026-01-01T00:00:00.000Z",
});
const happened = (...names: Happening["what"][]): Happening[] =>
  names.map((what) => (what === "captured" ? { what, chargeId: "ch-1" } : { what }));

/** Walks an order through what happens, an hour apart, and collects what it asks for. */
function walk(happenings: readonly Happening[]): {
  readonly order: Order;
  readonly steps: readonly string[];
  readonly told: readonly string[];
} {
  const steps: string[] = [];
  const told: string[] = [];
  const collect = (decision: Decision): Order => {
    steps.push(...decision.steps);
    if (decision.steps.includes("tell")) told.push(decision.order.status);
    return decision.order;
  };
  let order = collect(begin);
  happenings.forEach(
    (happening, hour) => void (order = collect(decide(order, happening, `2026-01-01T${String(hour + 1).padStart(2, "0")}:00:00.000Z`))),
  );
  return { order, steps: steps.filter((step) => step !== "tell"), told };
}

describe("an order", () => {
  test("goes from its placing to its delivery, each step asked for and told once", () => {
    const { order, steps, told } = walk(happened("reserved", "captured", "prepared", "delivered"));
    expect(told).toEqual(["pending", "reserved", "paid", "shipped", "delivered"]);
    expect(steps).toEqual(["reserve", "charge", "arrange", "dispatch", "invoice"]);
    expect(order).toMatchObject({ stage: "delivered", status: "delivered", chargeId: "ch-1", reason: undefined });
  });

  test.each([
    ["without stock ends at once", ["refused"], ["reserve"], "out of stock"],
    [
      "whose card is declined gives its stock back first",
      ["reserved", "declined", "released"],
      ["reserve", "charge", "release"],
      "card declined",
    ],
    [
      "cancelled while stock is asked for gives it back",
      ["cancel", "reserved", "released"],
      ["reserve", "release"],
      "cancelled by customer",
    ],
    ["cancelled while stock is refused was cancelled by its customer", ["cancel", "refused"], ["reserve"], "cancelled by customer"],
    [
      "cancelled while money is asked for gives money and stock back in reverse",
      ["reserved", "cancel", "captured", "refunded", "released"],
      ["reserve", "charge", "refund", "release"],
      "cancelled by customer",
    ],
    [
      "cancelled while its card is declined gives the stock back",
      ["reserved", "cancel", "declined", "released"],
      ["reserve", "charge", "release"],
      "cancelled by customer",
    ],
    [
      "cancelled when paid is called back, refunded and released",
      ["reserved", "captured", "cancel", "refunded", "released"],
      ["reserve", "charge", "arrange", "recall", "refund", "release"],
      "cancelled by customer",
    ],
    [
      "cancelled when paid ignores that its parcel is packed",
      ["reserved", "captured", "cancel", "prepared", "refunded", "released"],
      ["reserve", "charge", "arrange", "recall", "refund", "release"],
      "cancelled by customer",
    ],
    [
      "cancelled twice ends once",
      ["cancel", "cancel", "reserved", "cancel", "released", "cancel"],
      ["reserve", "release"],
      "cancelled by customer",
    ],
  ] as const)("%s", (_name, names, steps, reason) => {
    const walked = walk(happened(...names));
    expect(walked.steps).toEqual(steps);
    expect(walked.order).toMatchObject({ stage: "cancelled", status: "cancelled", reason });
    expect(walked.told.at(-1)).toBe("cancelled");
    expect(walked.told.filter((status) => status === "cancelled")).toHaveLength(1);
  });

  test("never tells of stock or money once its customer has cancelled it", () => {
    expect(walk(happened("cancel", "reserved", "released")).told).toEqual(["pending", "cancelled"]);
    expect(walk(happened("reserved", "cancel", "captured", "refunded", "released")).told).toEqual(["pending", "reserved", "cancelled"]);
  });

  test("can be cancelled until it has left", () => {
    const inTime: Record<Stage, boolean> = {
      reserving: true,
      charging: true,
      packing: true,
      refunding: true,
      releasing: true,
      delivering: false,
      delivered: false,
      cancelled: false,
    };
    for (const [stage, expected] of Object.entries(inTime))
      expect(canCancel({ ...begin.order, stage: stage as Stage }), stage).toBe(expected);
  });

  test("takes no notice of what comes twice or too late", () => {
    const all = happened("cancel", "reserved", "refused", "captured", "declined", "refunded", "released", "prepared", "delivered");
    for (const stage of ["delivered", "cancelled"] as const) {
      const order = { ...begin.order, stage };
      for (const happening of all) expect(decide(order, happening, "2026-01-02T00:00:00.000Z")).toEqual({ order, steps: [] });
    }
    const charging = walk(happened("reserved")).order;
    expect(decide(charging, { what: "reserved" }, "2026-01-02T00:00:00.000Z")).toEqual({ order: charging, steps: [] });
  });

  test("keeps a history that never goes back, whatever the clock does", () => {
    const { order } = decide(begin.order, { what: "reserved" }, "2025-12-31T00:00:00.000Z");
    expect(order.at).toBe(begin.order.at);
  });
});
