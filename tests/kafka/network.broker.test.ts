import { describe, expect, test } from "vitest";
import { systemClock } from "../../packages/postrider/src/base/clock.ts";
import type { SendOutcome } from "../../packages/postrider/src/ports/transport.ts";
import { missingOwn, ownBroker } from "../brokers/own.ts";
import { assertOrderPerKey, freshDestination, numbered, numberOf, openTransport, subscriptionTo, take, until } from "./harness.ts";

const missing = missingOwn("kafka");
const TOTAL = 3000;

// The reason stands in the name.
describe.skipIf(missing !== undefined)(`a network that breaks${missing === undefined ? "" : ` (${missing})`}`, () => {
  test(
    "connections reset, in the middle of frames too, a black hole and latency: nothing is rejected, lost, doubled in the log or out of order",
    { timeout: 180_000 },
    async () => {
      await using broker = await ownBroker("kafka");
      await using proxy = await broker.proxy();
      const transport = await openTransport(proxy.url, { sessionMs: 10_000, revokeMs: 3000 });
      const destination = freshDestination(4);
      const subscription = subscriptionTo(destination);
      await transport.apply({ destinations: [destination], subscriptions: [subscription] });
      const taker = await take(transport, subscription);
      const faults: Record<number, () => Promise<void> | void> = {
        300: () => proxy.reset(),
        600: () => proxy.resetAfter(10_001),
        900: () => proxy.reset(),
        1200: () => proxy.latency(30),
        1500: () => proxy.latency(0),
        1800: async () => {
          proxy.blackHole(true);
          await systemClock.sleep(3000); // what is waited for is the silence itself
          proxy.blackHole(false);
        },
        2400: () => proxy.resetAfter(777),
      };
      const sends: Promise<readonly SendOutcome[]>[] = [];
      for (let at = 0; at < TOTAL; at++) {
        sends.push(transport.send([numbered(destination, at, 40)], { deadlineMs: 60_000 }));
        await faults[at]?.();
        if (at % 10 === 0) await systemClock.sleep(5);
      }
      expect((await Promise.all(sends)).flat().filter((outcome) => outcome !== undefined)).toEqual([]);
      await until(() => new Set(taker.taken.map(({ at }) => at)).size === TOTAL, "everything had come");
      assertOrderPerKey(taker.taken);
      const inLog: { at: number; key: string }[] = [];
      for await (const message of transport.read(destination.name, { from: "earliest" }))
        inLog.push({ at: numberOf(message), key: message.envelope!.partitionkey! });
      expect(inLog.length).toBe(TOTAL);
      assertOrderPerKey(inLog);
      await transport.close();
    },
  );
});
