import assert from "node:assert/strict";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { NO_HEADERS } from "../../envelope/envelope.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import type { Destination, Subscription } from "../../ports/transport.ts";
import { Reader } from "../../testing/reader.ts";
import { until } from "../../testing/wait.ts";
import { benchBroker, plainClient, testTransport, virtualHost } from "./broker.test-support.ts";
import type { RabbitTransport } from "./transport.ts";

const broker = benchBroker();
const COMMANDS: Destination = { name: "order.commands", kind: "commands", lanes: 2, isExternal: false };
const EVENTS: Destination = { name: "order.events", kind: "events", lanes: 2, isExternal: false };
const waiting = { pass: (ms: number) => systemClock.sleep(ms) };
let count = 0;

// Where there is no broker the bench prints why, before any test.
describe.skipIf(broker.missing !== undefined)("what goes wrong on the broker", () => {
  test("a command that no queue takes is an error of its own, and an event without a reader is none", async () => {
    await onHost(async ({ url, transport }) => {
      await transport.apply({ destinations: [COMMANDS, EVENTS], subscriptions: [] });
      const { connection, channel } = await plainClient(url);
      await channel.deleteQueue("order.commands.0");
      await channel.deleteQueue("order.commands.1");
      const outcomes = await transport.send([messageTo(EVENTS), messageTo(COMMANDS), messageTo(EVENTS)], { deadlineMs: 5000 });
      expect(outcomes.map((outcome) => outcome?.code)).toEqual([undefined, "PR_DESTINATION_UNKNOWN", undefined]);
      await connection.close();
    });
  });

  test("an exchange that was deleted fails what is sent to it, and nothing else", async () => {
    await onHost(async ({ url, transport }) => {
      const subscription = subscriptionTo(COMMANDS);
      await transport.apply({ destinations: [COMMANDS, EVENTS], subscriptions: [subscription] });
      const reader = new Reader();
      const consumption = await transport.consume(subscription, reader);
      const { connection, channel } = await plainClient(url);
      await channel.deleteExchange("order.events");
      const batch = Array.from({ length: 60 }, (_, at) => messageTo(at % 20 === 7 ? EVENTS : COMMANDS));
      const outcomes = await transport.send(batch, { deadlineMs: 5000 });
      expect(outcomes.map((outcome) => outcome?.code)).toEqual(
        batch.map(({ destination }) => (destination === EVENTS.name ? "PR_DESTINATION_UNKNOWN" : undefined)),
      );
      await until(waiting, () => reader.count() === 57, "all others had come");
      await consumption.close();
      await connection.close();
    });
  });

  test("a queue that is deleted under its reader is reported, and read again once the topology is applied", async () => {
    await onHost(async ({ url, transport }) => {
      const subscription = subscriptionTo(EVENTS);
      const topology = { destinations: [EVENTS], subscriptions: [subscription] };
      await transport.apply(topology);
      const reader = new Reader();
      const consumption = await transport.consume(subscription, reader);
      await until(waiting, () => reader.lanes.size === 2, "it had its lanes");
      const { connection, channel } = await plainClient(url);
      await channel.deleteQueue("order.events.reader.1");
      await until(waiting, () => reader.errors.length > 0, "it was told");
      expect(reader.errors[0]).toMatchObject({
        code: "PR_TRANSPORT_FAILED",
        message: expect.stringMatching(/cancelled.*apply the topology/) as string,
      });
      expect((await transport.plan(topology)).changes).toMatchObject([
        { action: "create", thing: expect.stringContaining("order.events.reader.1") as string },
      ]);
      await transport.apply(topology);
      await until(waiting, () => reader.lanes.size === 2, "it had its lanes again");
      const messages = Array.from({ length: 20 }, () => messageTo(EVENTS));
      await transport.send(messages, { deadlineMs: 5000 });
      await until(waiting, () => reader.count() === 20, "all had come");
      await consumption.close();
      await connection.close();
    });
  });

  test("the high queues emptied by hand: batons are made anew, and the lanes are owned again", async () => {
    await onHost(async ({ url, transport }) => {
      const subscription = subscriptionTo(EVENTS);
      await transport.apply({ destinations: [EVENTS], subscriptions: [subscription] });
      const { connection, channel } = await plainClient(url);
      for (const lane of [0, 1]) await channel.purgeQueue(`order.events.reader.${lane}.high`);
      const reader = new Reader();
      const consumption = await transport.consume(subscription, reader);
      await until(waiting, () => reader.lanes.size === 2, "it had its lanes");
      expect(reader.errors).toEqual([]);
      await consumption.close();
      await connection.close();
    });
  });

  test("queues with other arguments are drift, explained by what differs", async () => {
    await onHost(async ({ url, transport }) => {
      const { connection, channel } = await plainClient(url);
      await channel.assertQueue("order.commands.1", { durable: true, arguments: { "x-queue-type": "classic" } });
      const topology = { destinations: [COMMANDS], subscriptions: [] };
      const drift = (await transport.plan(topology)).changes.filter(({ action }) => action === "change");
      expect(drift).toMatchObject([{ thing: "queue order.commands.1", detail: expect.stringContaining("inequivalent arg") as string }]);
      await expect(transport.apply(topology)).rejects.toMatchObject({ code: "PR_TOPOLOGY_DRIFT" });
      await connection.close();
    });
  });

  test("an exchange of the layout in which the lane was a header is drift, never read past", async () => {
    await onHost(async ({ url, transport }) => {
      const { connection, channel } = await plainClient(url);
      await channel.assertExchange("order.events.unrouted-2", "fanout");
      await channel.assertExchange("order.events", "topic", { alternateExchange: "order.events.unrouted-2" });
      await expect(transport.apply({ destinations: [EVENTS], subscriptions: [subscriptionTo(EVENTS)] })).rejects.toMatchObject({
        code: "PR_TOPOLOGY_DRIFT",
        message: expect.stringContaining("order.events.unrouted-2") as string,
      });
      await connection.close();
    });
  });

  test("a subscription to some types has those, urgent ones and those without a lane too, and no others", async () => {
    await onHost(async ({ url, transport }) => {
      const subscription = { ...subscriptionTo(EVENTS), types: ["order.placed"] };
      await transport.apply({ destinations: [EVENTS], subscriptions: [subscription] });
      const other = messageTo(EVENTS, "other");
      const urgent = messageTo(EVENTS, "urgent");
      const sent = [
        messageTo(EVENTS, "ours"),
        { ...other, envelope: { ...other.envelope, type: "order.moved" } },
        { ...urgent, envelope: { ...urgent.envelope, priority: "high" as const } },
      ];
      expect([...(await transport.send(sent, { deadlineMs: 5000 }))]).toEqual([undefined, undefined, undefined]);
      const { connection } = await plainClient(url);
      const channel = await connection.createConfirmChannel();
      channel.publish("order.events", "order.placed", Buffer.from("foreign"));
      channel.publish("order.events", "order.moved", Buffer.from("foreign, other"));
      await channel.waitForConfirms();
      const reader = new Reader();
      const consumption = await transport.consume(subscription, reader);
      await until(waiting, () => reader.deliveries.length === 3, "three had come");
      expect(new Set(reader.deliveries.map(({ body }) => body))).toEqual(new Set(["foreign", "ours", "urgent"]));
      await consumption.close();
      await connection.close();
    });
  });

  test("a reader that settles nothing is sent no more than its lanes' first reading asks for, however large the messages", async () => {
    await onHost(async ({ transport }) => {
      const subscription = { ...subscriptionTo(EVENTS), prefetchCount: 1000, prefetchBytes: 512 << 10 };
      await transport.apply({ destinations: [EVENTS], subscriptions: [subscription] });
      const body = "x".repeat(100 * 1024);
      for (let at = 0; at < 8; at++)
        await transport.send(
          Array.from({ length: 25 }, () => messageTo(EVENTS, body)),
          { deadlineMs: 20_000 },
        );
      const reader = new Reader({ onDelivery: () => undefined });
      const consumption = await transport.consume(subscription, reader);
      await until(waiting, () => reader.count() === 5, "it was full");
      const readyAt = async (): Promise<number> => (await transport.inspect())[0]!.messages;
      await systemClock.sleep(500); // for what should not come
      // 200 messages of 100 KiB are 20 MiB; the first reading of two lanes is 2 times 64 messages: half a MiB of 4 KiB each.
      assert.ok((await readyAt()) >= 200 - 128, `${await readyAt()} are still on the broker`);
      let settled = 0;
      await until(
        waiting,
        async () => {
          for (const delivery of reader.deliveries.slice(settled)) void delivery.ack();
          settled = reader.deliveries.length;
          return reader.count() === 200;
        },
        "all had come",
      );
      await consumption.close();
    });
  });

  test("a classic queue of somebody else's is read and written beside its other users, and never made", async () => {
    const host = await virtualHost(broker.url, broker.managementUrl);
    const existing = new Map([
      [COMMANDS.name, { queue: "legacy-orders" }],
      [EVENTS.name, { exchange: "legacy-events" }],
    ]);
    const transport = testTransport(host.url, { existing });
    await transport.open();
    const subscription = subscriptionTo(COMMANDS);
    const topology = { destinations: [COMMANDS, EVENTS], subscriptions: [subscription] };
    await expect(transport.apply(topology)).rejects.toMatchObject({
      code: "PR_TOPOLOGY_DRIFT",
      message: expect.stringContaining("legacy-orders") as string,
    });
    const { connection, channel } = await plainClient(host.url);
    await channel.assertQueue("legacy-orders", { durable: true, arguments: { "x-queue-type": "classic" } });
    await channel.assertExchange("legacy-events", "topic");
    await transport.apply(topology);
    expect((await transport.plan(topology)).changes).toEqual([]);
    channel.sendToQueue("legacy-orders", Buffer.from('{"old":true}'), { headers: { kind: "old" }, messageId: "legacy-1" });
    const reader = new Reader();
    const consumption = await transport.consume(subscription, reader);
    expect((await transport.send([messageTo(COMMANDS)], { deadlineMs: 5000 }))[0]).toBeUndefined();
    await until(waiting, () => reader.deliveries.length === 2, "both had come");
    const foreign = reader.deliveries.find(({ envelope }) => envelope === undefined)!;
    expect({ ...foreign.headers }).toEqual({ kind: "old", "message-id": "legacy-1" });
    expect(foreign.body).toBe('{"old":true}');
    const { queue } = await channel.assertQueue("", { exclusive: true });
    await channel.bindQueue(queue, "legacy-events", "order.*");
    expect((await transport.send([messageTo(EVENTS)], { deadlineMs: 5000 }))[0]).toBeUndefined();
    await until(waiting, async () => (await channel.checkQueue(queue)).messageCount === 1, "theirs had it");
    await expect(transport.consume(subscriptionTo(EVENTS), reader)).rejects.toMatchObject({ code: "PR_FEATURE_REFUSED" });
    await consumption.close();
    await connection.close();
    await transport.close();
    await host.remove();
  });
});

interface Host {
  readonly url: string;
  readonly transport: RabbitTransport;
}

async function onHost(run: (host: Host) => Promise<void>): Promise<void> {
  const host = await virtualHost(broker.url, broker.managementUrl);
  const transport = testTransport(host.url);
  await transport.open();
  try {
    await run({ url: host.url, transport });
  } finally {
    await transport.close();
    await host.remove();
  }
}

function subscriptionTo(destination: Destination): Subscription {
  return { service: "reader", destination, types: undefined, where: {}, prefetchCount: 100, prefetchBytes: 1 << 24, from: "earliest" };
}

function messageTo(destination: Destination, body: string = "{}"): Outgoing {
  const kind = destination.kind === "commands" ? "command" : "event";
  const envelope = {
    id: `m-${++count}`,
    source: "/test",
    type: "order.placed",
    kind,
    contractversion: 1,
    time: "2026-01-01T00:00:00.000Z",
  } as const;
  return { destination: destination.name, envelope, headers: NO_HEADERS, body, mayRepeat: false };
}
