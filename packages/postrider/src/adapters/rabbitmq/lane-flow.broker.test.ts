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
const ROUNDS = 4;
const BACKLOG = 1000;
const STREAMED = 1500;
const SETTLED = 100;
const MERGED_MS = 20; // after which the transport says one by one what is settled beyond a gap
const COMMANDS: Destination = { name: "order.commands", kind: "commands", lanes: 1, isExternal: false };
const LARGE = 1_100_000; // bytes: more than may wait
const LARGE_AT = 399; // of a backlog
const READ: Subscription = {
  service: "reader",
  destination: COMMANDS,
  types: undefined,
  where: {},
  prefetchCount: 8000,
  prefetchBytes: 1024 * 1024,
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
      // One is so large that the next reading asks for one message at a time, and then for more and more.
      await send(transport, sent, LARGE_AT);
      await transport.send([messageTo(COMMANDS, sent + LARGE_AT, String(sent + LARGE_AT).padEnd(LARGE))], { deadlineMs: 20_000 });
      await send(transport, sent + LARGE_AT + 1, BACKLOG - LARGE_AT - 1);
      const reader = new Reader({ onDelivery: settleWithGaps(LARGE_AT) });
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

  // A queue has what came back before what is new, but what comes back late behind what came back before it.
  test("a lane whose owners die one after another, each with all that it may have in hand, stays in its order", async () => {
    const host = await virtualHost(broker.url, broker.managementUrl);
    const [first, second, third] = [testTransport(host.url), testTransport(host.url), testTransport(host.url)];
    for (const transport of [first, second, third]) await transport.open();
    await third.apply({ destinations: [COMMANDS], subscriptions: [READ] });
    await send(third, 0, SETTLED);
    const settling = new Reader({ onDelivery: (delivery) => void (Number(delivery.body) < SETTLED && delivery.ack()) });
    await first.consume(READ, settling);
    await until(waiting, () => settling.count() === SETTLED, "it had settled some");
    await send(third, SETTLED, BACKLOG);
    await until(waiting, () => settling.count() > 3 * SETTLED, "it had much in hand");
    first.abandon();
    const holding = new Reader({ onDelivery: () => undefined });
    await second.consume(READ, holding);
    await until(waiting, () => holding.count() > 0, "the next owner had some in hand");
    second.abandon();
    const reader = new Reader();
    await third.consume(READ, reader);
    await until(waiting, () => reader.count() >= BACKLOG, "all had come");
    const seen = reader.deliveries.map(({ body }) => Number(body));
    expect(seen).toEqual(seen.toSorted((left, right) => left - right));
    await third.close();
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

function messageTo(destination: Destination, at: number, body: string = String(at)): Outgoing {
  const envelope = {
    id: `m-${at}`,
    source: "/test",
    type: "order.placed",
    kind: "command",
    contractversion: 1,
    time: "2026-01-01T00:00:00.000Z",
    partitionkey: "k",
  } as const;
  return { destination: destination.name, envelope, headers: NO_HEADERS, body, mayRepeat: false };
}
