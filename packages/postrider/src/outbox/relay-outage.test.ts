import { expect, test } from "vitest";
import { memoryWorld } from "../adapters/memory/world.ts";
import { fail } from "../base/errors.ts";
import { uuidv7Ids } from "../base/ids.ts";
import { seededRandom } from "../base/random.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { unsentLetters } from "../deadletters/letter.ts";
import { NO_HEADERS } from "../envelope/envelope.ts";
import type { Outgoing } from "../envelope/envelope.ts";
import type { Transport } from "../ports/transport.ts";
import { silentLogger } from "../telemetry/json-logger.ts";
import { outboxRelay } from "./relay.ts";

const WAITING = 700; // more than one claim

const message = (at: number): Outgoing => ({
  envelope: {
    id: `0198c000-0000-7000-8000-${at.toString(16).padStart(12, "0")}`,
    source: "/s",
    type: "order.placed",
    kind: "event",
    contractversion: 1,
    time: "2026-01-01T00:00:00.000Z",
    partitionkey: `k-${at}`,
  },
  headers: NO_HEADERS,
  body: "{}",
  destination: "order.events",
  mayRepeat: false,
});

test("while its transport is away a relay tries a few rows now and then, however often it is woken; it sends all soon after the return", async () => {
  const clock = new VirtualClock(0);
  const store = memoryWorld({ clock }).store("ordering");
  const away = fail("PR_TRANSPORT_FAILED", { transport: "far", during: "send", detail: "no" });
  let isAway = true;
  const tried: number[] = [];
  let sent = 0;
  const send: Transport["send"] = async (batch) => {
    tried.push(batch.length);
    if (!isAway) sent += batch.length;
    return batch.map(() => (isAway ? away : undefined));
  };
  const transport = { name: "far", send } as unknown as Transport;
  const relay = outboxRelay({
    store,
    kind: "event",
    transport: () => transport,
    letterOf: unsentLetters("ordering", uuidv7Ids(clock)),
    clock,
    random: seededRandom(1),
    logger: silentLogger,
    owner: "relay-1",
  });
  await store.transaction((transaction) => transaction.outbox.append(Array.from({ length: WAITING }, (_, at) => message(at))));
  relay.start();
  for (let second = 0; second < 60; second++) {
    for (let woken = 0; woken < 20; woken++) {
      relay.wake();
      await clock.advance(50);
    }
  }
  expect(tried.length).toBeGreaterThan(20);
  expect(tried.length).toBeLessThan(60);
  expect(Math.max(...tried.slice(1))).toBeLessThanOrEqual(10);

  isAway = false;
  await clock.advance(5_000);
  expect([sent, await store.outbox.depth()]).toEqual([WAITING, 0]);
  await relay.stop();
});
