import { VirtualClock } from "postrider/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { Pace } from "./pace.ts";

let clock: VirtualClock;
let pending: Set<string>;
let errors: unknown[];
let placed: string[];
let answered: string[];
let pace: Pace;

beforeEach(() => {
  clock = new VirtualClock();
  pending = new Set();
  errors = [];
  placed = [];
  answered = [];
  pace = new Pace({
    clock,
    pendingOf: async (orderIds) => orderIds.filter((orderId) => pending.has(orderId)),
    onError: (error) => errors.push(error),
  });
});

function come(count: number): void {
  for (let n = 0; n < count; n++)
    void pace
      .keep(async () => {
        const orderId = String(placed.length);
        placed.push(orderId);
        pending.add(orderId);
        return { outcome: "accepted", orderId, status: "pending" };
      })
      .then((placing) => answered.push("orderId" in placing ? placing.orderId : placing.outcome));
}

/** All that are on their way are reserved. */
const reserve = (): void => pending.clear();

describe("the pace at which orders are taken", () => {
  test("so many are on their way at once, and each that is reserved lets another in", async () => {
    come(50);
    await clock.advance(100);
    expect(placed).toHaveLength(16);
    pending.delete("0");
    pending.delete("1");
    await clock.advance(50);
    expect(placed).toHaveLength(18);
    reserve();
    await clock.advance(50);
    expect(placed.length).toBeGreaterThan(32);
  });

  test("the more get there in time, the more are let in, and the fewer, the fewer", async () => {
    const windowAfter = async (rounds: number, ms: number): Promise<number> => {
      for (let round = 0; round < rounds; round++) {
        come(50);
        await clock.advance(ms);
        reserve();
      }
      while (clock.pending > 0) {
        pace.letAllIn();
        await clock.advance(50);
        reserve();
      }
      const before = placed.length;
      come(50);
      await clock.advance(0);
      return placed.length - before;
    };
    expect(await windowAfter(20, 60)).toBeGreaterThan(20);
    expect(await windowAfter(20, 400)).toBe(4);
  });

  test("nobody waits for more than four seconds", async () => {
    come(30);
    for (let n = 0; n < 19; n++) {
      await clock.advance(200);
      pending.delete(String(n % 16)); // something moves, but too late
    }
    expect(placed.length).toBeLessThan(30);
    await clock.advance(200);
    expect(placed).toHaveLength(30);
  });

  test("who came in a rush is answered once the order is reserved, the others at once", async () => {
    come(18);
    await clock.advance(0);
    expect(answered).toHaveLength(16);
    pending.delete("0");
    pending.delete("1");
    await clock.advance(50);
    expect([placed.length, answered.length]).toEqual([18, 16]);
    pending.delete("16");
    await clock.advance(50);
    expect(answered.slice(16)).toEqual(["16"]);
  });

  test("nobody waits for door and reservation together for more than four seconds", async () => {
    come(17);
    await clock.advance(100);
    pending.delete("0");
    await clock.advance(3_800);
    expect([placed.length, answered.length]).toEqual([17, 16]);
    await clock.advance(150);
    expect(answered).toHaveLength(17);
  });

  test("of a rush no more than a hundred wait", async () => {
    come(200);
    await clock.advance(0);
    expect(placed).toHaveLength(100);
  });

  test("while nothing moves those who come are let in after four seconds, and no sooner", async () => {
    come(16);
    await clock.advance(15_100);
    come(50);
    await clock.advance(3_900);
    expect(placed).toHaveLength(16);
    await clock.advance(200);
    expect(placed).toHaveLength(66);
    expect(errors).toEqual([]);
  });

  test("what stands still for long holds up nobody, and nothing is asked for once nothing is on its way", async () => {
    come(16);
    await clock.advance(20_100);
    come(16);
    await clock.advance(0);
    expect(placed).toHaveLength(32);
    reserve();
    await clock.advance(1_000);
    expect(clock.pending).toBe(0);
  });

  test("whose order is refused leaves room at once, and what cannot be read stops nobody", async () => {
    const failing = new Pace({ clock, pendingOf: () => Promise.reject(new Error("away")), onError: (error) => errors.push(error) });
    for (let n = 0; n < 40; n++) await failing.keep(async () => ({ outcome: "tooMuch" }));
    await expect(failing.keep(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    for (let n = 0; n < 16; n++) await failing.keep(async () => ({ outcome: "accepted", orderId: String(n), status: "pending" }));
    await clock.advance(3_100);
    expect(errors.length).toBe(4); // at 40 ms, and then once a second
    const last = failing.keep(async () => ({ outcome: "tooMuch" }));
    await clock.advance(4_100);
    expect(await last).toEqual({ outcome: "tooMuch" });
  });

  test("whoever waits when the door closes goes in", async () => {
    come(50);
    await clock.advance(10);
    expect(placed).toHaveLength(16);
    pace.letAllIn();
    await clock.advance(0);
    expect(placed).toHaveLength(50);
  });
});
