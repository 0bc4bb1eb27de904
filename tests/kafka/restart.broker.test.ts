import { describe, expect, test } from "vitest";
import { systemClock } from "../../packages/postrider/src/base/clock.ts";
import type { SendOutcome } from "../../packages/postrider/src/ports/transport.ts";
import { missingOwn, ownBroker } from "../brokers/own.ts";
import { assertOrderPerKey, freshDestination, numbered, numberOf, openTransport, subscriptionTo, take, until } from "./harness.ts";

const KEYS = 50;
const TOTAL = 6000;
const PER_TICK = 5; // about 1000 a second
const missing = missingOwn("kafka");

// The reason stands in the name.
describe.skipIf(missing !== undefined)(`a broker that goes and comes back${missing === undefined ? "" : ` (${missing})`}`, () => {
  test(
    "killed in the middle of thousands of sends: none is rejected, lost, doubled in the log or out of order",
    { timeout: 180_000 },
    async () => {
      await using broker = await ownBroker("kafka");
      const outage = async (): Promise<void> => {
        await broker.kill();
        await broker.start();
      };
      expect(await sentThrough(broker.url, outage)).toBe(TOTAL);
    },
  );

  test("frozen for longer than a session: none is rejected, lost, doubled in the log or out of order", { timeout: 180_000 }, async () => {
    await using broker = await ownBroker("kafka");
    const outage = async (): Promise<void> => {
      await broker.freeze();
      await systemClock.sleep(12_000); // what is waited for is the silence itself
      await broker.thaw();
    };
    expect(await sentThrough(broker.url, outage)).toBe(TOTAL);
  });

  test.for(["kill", "freeze"] as const)(
    "a transport closes although its broker is away (%s), and says what became of its sends",
    async (how) => {
      await using broker = await ownBroker("kafka");
      const transport = await openTransport(broker.url);
      const destination = freshDestination(2);
      await transport.apply({ destinations: [destination], subscriptions: [subscriptionTo(destination)] });
      const taker = await take(transport, subscriptionTo(destination));
      await transport.send([numbered(destination, 0, 1)], { deadlineMs: 10_000 });
      await until(() => taker.taken.length === 1, "it had come");
      await broker[how]();
      const late = transport.send([numbered(destination, 1, 1)], { deadlineMs: 1000 });
      const closing = transport.send([numbered(destination, 2, 1)], { deadlineMs: 60_000 });
      expect((await late)[0]?.code).toBe("PR_OUTCOME_UNKNOWN");
      await expect(taker.consumption!.inspect()).rejects.toMatchObject({ code: "PR_TRANSPORT_FAILED" });
      await transport.close();
      expect(["PR_OUTCOME_UNKNOWN", "PR_TRANSPORT_CLOSED"]).toContain((await closing)[0]?.code);
    },
  );
});

/** Sends and takes thousands of messages across an outage; resolves with how many are in the log. */
async function sentThrough(url: string, breakAndMend: () => Promise<void>): Promise<number> {
  const options = { sessionMs: 10_000, revokeMs: 3000 };
  const [sender, reader] = [await openTransport(url, options), await openTransport(url, options)];
  const destination = freshDestination(4);
  const subscription = subscriptionTo(destination);
  await sender.apply({ destinations: [destination], subscriptions: [subscription] });
  const taker = await take(reader, subscription);
  const sends: Promise<readonly SendOutcome[]>[] = [];
  let mended: Promise<void> | undefined;
  let mendedAtMs = Infinity;
  for (let at = 0; at < TOTAL; at++) {
    sends.push(sender.send([numbered(destination, at, KEYS)], { deadlineMs: 60_000 }));
    if (at === TOTAL / 3) mended = breakAndMend().then(() => void (mendedAtMs = performance.now()));
    if (at % PER_TICK === 0) await systemClock.sleep(5);
    // The last third is sent to a broker that is back.
    if (at === (TOTAL * 2) / 3) await mended;
  }
  const outcomes = (await Promise.all(sends)).flat();
  expect(outcomes.filter((outcome) => outcome !== undefined).map(({ message }) => message)).toEqual([]);
  await until(() => new Set(taker.taken.map(({ at }) => at)).size === TOTAL, "everything had come");
  assertOrderPerKey(taker.taken);
  const first = taker.taken.find(({ atMs }) => atMs > mendedAtMs)!;
  console.info(
    `first message ${Math.round(first.atMs - mendedAtMs)} ms after the broker answered; ${taker.taken.length - TOTAL} came again`,
  );
  const inLog: { at: number; key: string }[] = [];
  for await (const message of reader.read(destination.name, { from: "earliest" }))
    inLog.push({ at: numberOf(message), key: message.envelope!.partitionkey! });
  assertOrderPerKey(inLog);
  await sender.close();
  await reader.close();
  return inLog.length;
}
