import { describe, expect, test } from "vitest";
import { systemClock } from "../../packages/postrider/src/base/clock.ts";
import type { SendOutcome } from "../../packages/postrider/src/ports/transport.ts";
import { missingOwn, ownBroker } from "../brokers/own.ts";
import { ORDERS, Taker, assertOrderPerKey, numbered, openTransport, subscriptionOf, until } from "./harness.ts";

const KEYS = 50;
const TOTAL = 9000;
const PER_TICK = 5; // about 1000 a second
const missing = missingOwn("rabbitmq");

// The reason stands in the name.
describe.skipIf(missing !== undefined)(`a broker that goes and comes back${missing === undefined ? "" : ` (${missing})`}`, () => {
  test(
    "killed twice in the middle of thousands of sends: none is rejected, none lost, and each key stays in order",
    { timeout: 180_000 },
    async () => {
      await using broker = await ownBroker("rabbitmq");
      const rejected = await rejectedWhile(broker.url, async () => {
        await broker.kill();
        await broker.start();
      });
      expect(rejected).toEqual([]);
    },
  );

  test(
    "frozen until its connections are given up: none is rejected, none lost, and each key stays in order",
    { timeout: 180_000 },
    async () => {
      await using broker = await ownBroker("rabbitmq");
      const rejected = await rejectedWhile(broker.url, async () => {
        await broker.freeze();
        await systemClock.sleep(10_000); // what is waited for is the silence itself
        await broker.thaw();
      });
      expect(rejected).toEqual([]);
    },
  );
});

/** Sends and reads while the broker is broken and mended twice; fails on loss and disorder, and returns the sends that were rejected. */
async function rejectedWhile(url: string, breakAndMend: () => Promise<void>): Promise<readonly SendOutcome[]> {
  const [sender, one, two] = [await openTransport(url), await openTransport(url), await openTransport(url)];
  await sender.apply({ destinations: [ORDERS], subscriptions: [subscriptionOf()] });
  const taker = new Taker();
  const consumptions = [await one.consume(subscriptionOf(), taker), await two.consume(subscriptionOf(), taker)];
  const sends: Promise<readonly SendOutcome[]>[] = [];
  const mended: Promise<number>[] = [];
  for (let at = 0; at < TOTAL; at++) {
    sends.push(sender.send([numbered(at, KEYS)], { deadlineMs: 60_000 }));
    if (at === TOTAL / 4 || at === TOTAL / 2) mended.push(breakAndMend().then(() => performance.now()));
    if (at % PER_TICK === 0) await systemClock.sleep(5);
    if (at === TOTAL / 2 - 1 || at === (TOTAL * 3) / 4) await Promise.all(mended);
  }
  const outcomes = (await Promise.all(sends)).flat();
  await until(() => taker.seen.size === TOTAL, `${TOTAL} had come`);
  assertOrderPerKey(taker.taken);
  const mendedAtMs = await mended[1]!;
  const first = taker.taken.find(({ atMs }) => atMs > mendedAtMs);
  if (first !== undefined) {
    const waitedMs = Math.round(first.atMs - mendedAtMs);
    console.info(`first message ${waitedMs} ms after the broker answered; ${taker.taken.length - TOTAL} came again`);
  }
  await Promise.all(consumptions.map((consumption) => consumption.close()));
  await Promise.all([sender, one, two].map((transport) => transport.close()));
  return outcomes.filter((outcome) => outcome !== undefined);
}
