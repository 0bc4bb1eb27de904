import assert from "node:assert/strict";
import type { Delivery } from "../../ports/transport.ts";
import { idOf } from "../reader.ts";
import { ackAll } from "../transport-environment.ts";
import { needs, needsLanes } from "./test.ts";
import type { TransportTest } from "./test.ts";

/** The order of a lane, also when messages come again. */
export const orderTests: readonly TransportTest[] = [
  {
    name: "messages of one key arrive in the order they were sent, with many keys and many consumers",
    notFor: needsLanes,
    async run(env) {
      const [sender, other] = [await env.transport(), await env.transport()];
      const orders = env.destination("orders.events", 8);
      const subscription = env.subscription(orders);
      await env.apply(sender, [subscription]);
      const all: Delivery[] = [];
      const options = {
        onDelivery(delivery: Delivery): void {
          all.push(delivery);
          void delivery.ack();
        },
      };
      await Promise.all([sender, other, sender, other].map((transport) => env.consume(transport, subscription, options)));
      const messages = env.messages(orders, 960, (at) => ({ key: `key-${at % 16}` }));
      for (let from = 0; from < messages.length; from += 48) await env.send(sender, messages.slice(from, from + 48));
      await env.until(() => new Set(all.map(idOf)).size === 960, "960 messages had come");
      for (let key = 0; key < 16; key++) {
        const sent = messages.filter(({ envelope }) => envelope.partitionkey === `key-${key}`).map(idOf);
        assert.deepEqual(firstSeen(all.filter(({ envelope }) => envelope!.partitionkey === `key-${key}`)), sent);
      }
    },
  },
  {
    name: "sends that are not awaited keep the order of their calls",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed();
      const reader = await env.consume(transport, subscription);
      const messages = env.messages(orders, 200, () => ({ key: "one" }));
      await Promise.all(messages.map((message) => env.send(transport, [message])));
      await env.until(() => reader.count() === 200, "all had come");
      assert.deepEqual(firstSeen(reader.deliveries), messages.map(idOf));
    },
  },
  {
    name: "a key always goes to the same lane, and a message without one to that of its id",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed(env.destination("orders.events", 8));
      const reader = await env.consume(transport, subscription);
      await env.send(
        transport,
        env.messages(orders, 80, (at) => (at % 2 === 0 ? { key: `key-${at % 10}` } : {})),
      );
      const twice = env.message(orders);
      await env.send(transport, [twice]);
      await env.send(transport, [{ ...twice, mayRepeat: true }]);
      await env.until(() => reader.deliveries.length >= 82, "all had come");
      const lanes = new Map<string, number>();
      for (const { envelope, lane } of reader.deliveries) {
        const key = envelope!.partitionkey ?? envelope!.id;
        assert.equal(lane.number, lanes.get(key) ?? lane.number);
        lanes.set(key, lane.number);
      }
      assert.ok(new Set(lanes.values()).size > 1, "keys are spread over the lanes");
    },
  },
  {
    name: "messages that are given back come again, and say so where the transport can tell",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed();
      let toGiveBack = 2;
      const reader = await env.consume(transport, subscription, {
        onDelivery: (delivery) => void (toGiveBack-- > 0 ? delivery.giveBack() : delivery.ack()),
      });
      const messages = env.messages(orders, 100);
      await env.send(transport, messages);
      await env.until(() => reader.deliveries.length >= 102, "100 messages and 2 repetitions had come");
      await env.quiet();
      const again = reader.deliveries.filter((delivery, at) => reader.ids().indexOf(idOf(delivery)) < at);
      assert.equal(again.length, 2);
      if (transport.capabilities.redeliveredFlag) assert.ok(again.every(({ isRedelivered }) => isRedelivered));
      assert.deepEqual(new Set(reader.ids()), new Set(messages.map(idOf)));
    },
  },
  {
    name: "messages given back together come again in their order",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed(env.destination("orders.events", 1));
      const reader = await env.hold(transport, subscription);
      const messages = env.messages(orders, 10, () => ({ key: "one" }));
      await env.send(transport, messages);
      await env.until(() => reader.count() === 10, "all had come");
      const first = [...reader.deliveries];
      for (const delivery of first.toReversed()) void delivery.giveBack();
      await env.until(() => reader.deliveries.length === 20, "all had come again");
      assert.deepEqual(reader.ids().slice(10), messages.map(idOf));
      await ackAll(reader.deliveries);
      await env.quiet();
      assert.equal(reader.deliveries.length, 20);
    },
  },
  {
    name: "after hundreds of messages given back by several consumers, each is still handled",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed();
      const handled = new Set<string>();
      const options = (): { onDelivery: (delivery: Delivery) => void } => {
        let toGiveBack = 100;
        return {
          onDelivery(delivery) {
            if (toGiveBack-- > 0) return void delivery.giveBack();
            handled.add(idOf(delivery));
            void delivery.ack();
          },
        };
      };
      for (let at = 0; at < 3; at++) await env.consume(transport, subscription, options());
      await env.send(transport, env.messages(orders, 50));
      await env.until(() => handled.size === 50, "all 50 were handled");
    },
  },
  {
    name: "a message that stays out does not take the next one of its lane with it when the consumer goes",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed(env.destination("orders.events", 1));
      const reader = await env.hold(transport, subscription);
      const messages = env.messages(orders, 3, () => ({ key: "one" }));
      await env.send(transport, messages);
      await env.until(() => reader.count() === 3, "all had come");
      await reader.deliveries[1]!.ack();
      await reader.consumption!.close();
      const next = await env.consume(transport, subscription);
      await env.until(
        () => next.ids().includes(idOf(messages[0]!)) && next.ids().includes(idOf(messages[2]!)),
        "the unsettled ones had come again",
      );
      await env.quiet();
      if (transport.colocated !== undefined) assert.deepEqual(next.ids(), [idOf(messages[0]!), idOf(messages[2]!)]);
    },
  },
  {
    name: "positions of a lane grow in the order of delivery",
    notFor: needs("positions"),
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed();
      const reader = await env.consume(transport, subscription);
      for (let round = 0; round < 5; round++) await env.send(transport, env.messages(orders, 40));
      await env.until(() => reader.count() === 200, "all had come");
      const last = new Map<number, number>();
      for (const { lane, position } of reader.deliveries) {
        assert.ok(position > (last.get(lane.number) ?? 0), "positions grow, from 1");
        last.set(lane.number, position);
      }
    },
  },
  {
    name: "messages of high priority are handed over before those that wait",
    notFor: ({ priority }) => (priority === "none" || priority === "fetched" ? "priority" : undefined),
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed(env.destination("orders.commands", 1), { prefetchCount: 1 });
      await env.send(transport, env.messages(orders, 20));
      const urgent = env.messages(orders, 3, () => ({ priority: "high" }));
      await env.send(transport, urgent);
      const reader = await env.consume(transport, subscription);
      await env.until(() => reader.count() === 23, "all had come");
      assert.deepEqual(reader.ids().slice(0, 3), urgent.map(idOf));
    },
  },
];

/** Ids in the order of their first delivery: a redelivery repeats, it does not reorder. */
function firstSeen(deliveries: readonly Delivery[]): string[] {
  return [...new Set(deliveries.map(idOf))];
}
