import { describe, expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { NO_HEADERS } from "../../envelope/envelope.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import type { Delivery, Destination, Subscription } from "../../ports/transport.ts";
import { Reader } from "../../testing/reader.ts";
import { until } from "../../testing/wait.ts";
import { benchBroker, testTransport, virtualHost } from "./broker.test-support.ts";
import type { RabbitTransport } from "./transport.ts";

const broker = benchBroker();
const ROUNDS = 12;
const BACKLOG = 1000;
const STREAMED = 1500;
const MERGED_MS = 20; // after which the transport says one by one what is settled beyond a gap
const COMMANDS: Destination = { name: "order.commands", kind: "commands", lanes: 1, isExternal: false };
// A first guess of 1000 messages, of which each is so small that it soon asks for 8000.
const READ: Subscription = {
  service: "reader",
  destination: COMMANDS,
  types: undefined,
  where: {},
  prefetchCount: 8000,
  prefetchBytes: 32 * 1024 * 1024,
  from: "earliest",
};
const waiting = { pass: (ms: number) => systemClock.sleep(ms) };

// Where there is no broker the bench prints why, before any test.
describe.skipIf(broker.missing !== undefined)("the flow of a lane", () => {
  // What was on its way to a consumer that was cancelled came behind what the next one was sent, while the broker's channel had much to tell the queue.
  test("a lane that is read on with another prefetch, while much is being settled and more comes, stays in its order", async () => {
    const host = await virtualHost(broker.url, broker.managementUrl);
    const transport = testTransport(host.url);
    await transport.open();
    await transport.apply({ destinations: [COMMANDS], subscriptions: [READ] });
    const firsts: number[] = [];
    const seen = new Set<number>();
    let sent = 0;
    for (let round = 0; round < ROUNDS; round++) {
      await send(transport, sent, BACKLOG);
      const reader = new Reader({ onDelivery: settleWithGaps(BACKLOG) });
      const consumption = await transport.consume(READ, reader);
      for (let at = BACKLOG; at < BACKLOG + STREAMED; at += 20) await send(transport, sent + at, 20);
      sent += BACKLOG + STREAMED;
      const { deliveries } = reader;
      await until(waiting, () => reader.count() === BACKLOG + STREAMED, "all had come");
      await consumption.close();
      for (const { body } of deliveries) {
        if (!seen.has(Number(body))) firsts.push(Number(body));
        seen.add(Number(body));
      }
    }
    expect(firsts).toEqual(firsts.toSorted((left, right) => left - right));
    await transport.close();
    await host.remove();
  });
});

/** Settles every second message of the first `count` at once and the rest of them a little later, so that there is a gap behind each; then each at once. */
function settleWithGaps(count: number): (delivery: Delivery) => void {
  let late: Delivery[] | undefined = [];
  let left = count;
  return (delivery) => {
    left--;
    if (late !== undefined && left % 2 === 1) late.push(delivery);
    else void delivery.ack();
    if (left !== 0) return;
    systemClock.after(MERGED_MS, () => {
      for (const one of late ?? []) void one.ack();
      late = undefined;
    });
  };
}

function send(transport: RabbitTransport, from: number, count: number): Promise<unknown> {
  const messages = Array.from({ length: count }, (_, at) => messageTo(COMMANDS, from + at));
  return transport.send(messages, { deadlineMs: 20_000 });
}

function messageTo(destination: Destination, at: number): Outgoing {
  const envelope = {
    id: `m-${at}`,
    source: "/test",
    type: "order.placed",
    kind: "command",
    contractversion: 1,
    time: "2026-01-01T00:00:00.000Z",
    partitionkey: "k",
  } as const;
  return { destination: destination.name, envelope, headers: NO_HEADERS, body: String(at), mayRepeat: false };
}
