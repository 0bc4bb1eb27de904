import assert from "node:assert/strict";
import { idOf } from "../reader.ts";
import { needs } from "./test.ts";
import type { TransportTest } from "./test.ts";

/** Sending and receiving. */
export const basicTests: readonly TransportTest[] = [
  {
    name: "every message that was sent arrives, and no other",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed();
      const reader = await env.consume(transport, subscription);
      const messages = env.messages(orders, 100);
      await env.send(transport, messages);
      await env.until(() => reader.count() === 100, "100 messages had come");
      await env.quiet();
      assert.deepEqual(reader.ids().sort(), messages.map(idOf).sort());
    },
  },
  {
    name: "messages sent before the subscriber was there wait for it",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed();
      const messages = env.messages(orders, 20);
      await env.send(transport, messages);
      const reader = await env.consume(transport, subscription);
      await env.until(() => reader.count() === 20, "20 messages had come");
    },
  },
  {
    name: "a send resolves with one outcome per message, in the order given",
    async run(env) {
      const transport = await env.transport();
      const orders = env.destination();
      await env.apply(transport, [], [orders]);
      assert.deepEqual([...(await transport.send([], { deadlineMs: 1000 }))], []);
      await env.send(transport, env.messages(orders, 1));
      await env.send(transport, env.messages(orders, 3));
    },
  },
  {
    name: "many consumers of one service share its messages and miss none",
    async run(env) {
      const transport = await env.transport();
      const other = await env.transport();
      const orders = env.destination("orders.events", 8);
      const subscription = env.subscription(orders);
      await env.apply(transport, [subscription]);
      const readers = await Promise.all(Array.from({ length: 10 }, (_, at) => env.consume(at % 2 === 0 ? transport : other, subscription)));
      const messages = env.messages(orders, 500, (at) => ({ key: `k-${at % 50}` }));
      await Promise.all([0, 100, 200, 300, 400].map((from) => env.send(transport, messages.slice(from, from + 100))));
      const all = (): string[] => readers.flatMap((reader) => reader.ids());
      await env.until(() => new Set(all()).size === 500, "500 messages had come");
    },
  },
  {
    name: "destinations are kept apart",
    async run(env) {
      const transport = await env.transport();
      const destinations = Array.from({ length: 6 }, (_, at) => env.destination(`topic-${at}.events`, 2));
      const subscriptions = destinations.map((destination) => env.subscription(destination));
      await env.apply(transport, subscriptions);
      const readers = await Promise.all(subscriptions.map((subscription) => env.consume(transport, subscription)));
      const sent = destinations.map((destination) => env.messages(destination, 40));
      await Promise.all(sent.map((messages) => env.send(transport, messages)));
      await env.until(() => readers.every((reader) => reader.count() === 40), "each destination had its 40");
      await env.quiet();
      readers.forEach((reader, at) => assert.deepEqual(reader.ids().sort(), sent[at]!.map(idOf).sort()));
    },
  },
  {
    name: "one send may go to several destinations",
    async run(env) {
      const transport = await env.transport();
      const subscriptions = [env.subscription(env.destination("a.events")), env.subscription(env.destination("b.events"))];
      await env.apply(transport, subscriptions);
      const readers = await Promise.all(subscriptions.map((subscription) => env.consume(transport, subscription)));
      await env.send(
        transport,
        subscriptions.flatMap(({ destination }) => env.messages(destination, 5)),
      );
      await env.until(() => readers.every((reader) => reader.count() === 5), "both had their 5");
    },
  },
  {
    name: "every subscribing service receives everything",
    async run(env) {
      const transport = await env.transport();
      const orders = env.destination();
      const subscriptions = ["billing", "mailing", "stock"].map((service) => env.subscription(orders, { service }));
      await env.apply(transport, subscriptions);
      const readers = await Promise.all(subscriptions.map((subscription) => env.consume(transport, subscription)));
      await env.send(transport, env.messages(orders, 50));
      await env.until(() => readers.every((reader) => reader.count() === 50), "all services had all 50");
    },
  },
  {
    name: "a service that does not settle does not hold up another",
    async run(env) {
      const transport = await env.transport();
      const orders = env.destination();
      const [slow, fast] = [env.subscription(orders, { service: "slow", prefetchCount: 2 }), env.subscription(orders, { service: "fast" })];
      await env.apply(transport, [slow, fast]);
      await env.hold(transport, slow);
      const reader = await env.consume(transport, fast);
      await env.send(transport, env.messages(orders, 60));
      await env.until(() => reader.count() === 60, "the fast one had everything");
    },
  },
  {
    name: "types that a subscription wants are not held up by those that it does not",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed(env.destination("orders.events", 2), {
        types: ["orders.paid"],
        prefetchCount: 5,
      });
      const reader = await env.consume(transport, subscription);
      const messages = env.messages(orders, 200, (at) => ({ type: at % 10 === 9 ? "orders.paid" : "orders.placed", key: `k-${at % 7}` }));
      await env.send(transport, messages);
      // A transport may hand over what is not wanted, too: the consumer skips it.
      const wanted = (): string[] => reader.deliveries.filter(({ envelope }) => envelope?.type === "orders.paid").map(idOf);
      await env.until(() => wanted().length === 20, "the wanted ones had come");
      assert.deepEqual(new Set(wanted()), new Set(messages.filter(({ envelope }) => envelope.type === "orders.paid").map(idOf)));
    },
  },
  {
    name: "a new subscription from the earliest message sees the old ones",
    notFor: needs("history"),
    async run(env) {
      const transport = await env.transport();
      const orders = env.destination();
      const first = env.subscription(orders, { service: "first" });
      await env.apply(transport, [first]);
      const reader = await env.consume(transport, first);
      const messages = env.messages(orders, 10);
      await env.send(transport, messages);
      await env.until(() => reader.count() === 10, "the first subscriber had everything");
      const late = env.subscription(orders, { service: "late", from: "earliest" });
      await env.apply(transport, [late]);
      const lateReader = await env.consume(transport, late);
      await env.until(() => lateReader.count() === 10, "the late subscriber had everything");
      assert.deepEqual(new Set(lateReader.ids()), new Set(messages.map(idOf)));
    },
  },
  {
    name: "a new subscription from the latest message sees only what comes after it",
    async run(env) {
      const transport = await env.transport();
      const orders = env.destination();
      await env.apply(transport, [], [orders]);
      await env.send(transport, env.messages(orders, 10));
      const late = env.subscription(orders, { service: "late", from: "latest" });
      await env.apply(transport, [late]);
      const messages = env.messages(orders, 5);
      await env.send(transport, messages);
      const reader = await env.consume(transport, late);
      await env.until(() => reader.count() === 5, "the new ones had come");
      await env.quiet();
      assert.deepEqual(new Set(reader.ids()), new Set(messages.map(idOf)));
    },
  },
];
