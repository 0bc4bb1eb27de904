import { expect, test } from "vitest";
import { memoryWorld } from "../adapters/memory/world.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { service } from "../pipeline/service.ts";
import type { Service } from "../pipeline/service.ts";
import { appOf, PlaceOrder } from "./app.test-support.ts";

const KEYS = Array.from({ length: 24 }, (_, at) => `o-${at}`);

test("keys of messages that waited for a place when their lane went to another instance are free when it comes back", async () => {
  const clock = new VirtualClock();
  const world = memoryWorld({ clock });
  const handled: string[] = [];
  const gates: (() => void)[] = [];
  const instance = (name: string, isSlow: boolean): Service =>
    service(
      "ordering",
      (on) =>
        on(PlaceOrder, async ({ orderId, total }) => {
          if (isSlow && total === 1) await new Promise<void>((open) => gates.push(open));
          handled.push(`${name} ${orderId} ${total}`);
        }),
      { concurrency: 1, timeoutMs: 0 },
    );
  // The first instance has one place, taken; all others wait for it.
  await using first = await appOf([instance("first", true)], { clock, world });
  const send = async (total: number): Promise<void> => {
    for (const orderId of KEYS) await first.bus.as("ordering").send(PlaceOrder, { orderId, total });
  };
  await send(1);
  await first.pass(100);

  // The second one gets half of the lanes, with what waited on them, and ends.
  const second = await appOf([instance("second", false)], { clock, world });
  await first.pass(60_000);
  expect(handled.filter((line) => line.startsWith("second")).length).toBeGreaterThan(KEYS.length / 4);
  const stopped = second.bus.stop();
  await first.pass(60_000);
  await stopped;

  // Whatever was handled where: the first handles all keys again.
  await send(2);
  for (let round = 0; round <= KEYS.length; round++) {
    gates.splice(0).forEach((open) => open());
    await first.pass(60_000);
  }
  const again = handled.filter((line) => line.startsWith("first") && line.endsWith(" 2"));
  expect(new Set(again).size).toBe(KEYS.length);
});
