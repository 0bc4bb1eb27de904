import assert from "node:assert/strict";
import type { Delivery } from "../../ports/transport.ts";
import { idOf } from "../reader.ts";
import { ackAll } from "../transport-environment.ts";
import type { TransportEnvironment } from "../transport-environment.ts";
import { needsLanes } from "./test.ts";
import type { TransportTest } from "./test.ts";

/** How much is handed over, and when. */
export const flowTests: readonly TransportTest[] = [
  {
    name: "never more messages are out than the prefetch count, however slowly they are settled",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed(env.destination(), { prefetchCount: 7 });
      await env.send(transport, env.messages(orders, 60));
      const slow = slowly();
      const reader = await env.consume(transport, subscription, slow);
      await settleAll(env, slow, () => {
        assert.ok(slow.out.length <= 7, `${slow.out.length} were out`);
        return reader.count() === 60;
      });
    },
  },
  {
    name: "never more bytes are out than the prefetch allows, but for one message alone",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed(env.destination(), { prefetchBytes: 10_000 });
      await env.send(
        transport,
        env.messages(orders, 30, (at) => ({ body: "x".repeat(at % 10 === 5 ? 25_000 : 3000) })),
      );
      const slow = slowly();
      const reader = await env.consume(transport, subscription, slow);
      await settleAll(env, slow, () => {
        const bytes = slow.out.reduce((sum, delivery) => sum + delivery.bytes, 0);
        assert.ok(bytes <= 10_000 || slow.out.length === 1, `${bytes} bytes in ${slow.out.length} messages were out`);
        return reader.count() === 30;
      });
    },
  },
  {
    name: "nothing is handed over while it is paused, and everything after it is resumed",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed();
      const reader = await env.consume(transport, subscription);
      await env.send(transport, env.messages(orders, 5));
      await env.until(() => reader.count() === 5, "the first had come");
      reader.consumption!.pause();
      await env.send(transport, env.messages(orders, 5));
      await env.quiet();
      assert.equal(reader.count(), 5);
      reader.consumption!.resume();
      await env.until(() => reader.count() === 10, "the others had come");
    },
  },
  {
    name: "one lane can be paused while the others flow",
    notFor: needsLanes,
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed();
      const reader = await env.consume(transport, subscription);
      await env.until(() => reader.lanes.size === 4, "all lanes were there");
      const paused = reader.lanes.get(2)!;
      reader.consumption!.pause(paused);
      const messages = env.messages(orders, 80, (at) => ({ key: `key-${at}` }));
      await env.send(transport, messages);
      const inLane = (number: number): number => reader.deliveries.filter(({ lane }) => lane.number === number).length;
      await env.until(() => inLane(0) > 0 && inLane(1) > 0 && inLane(3) > 0, "the other lanes had theirs");
      await env.quiet();
      assert.equal(inLane(2), 0);
      reader.consumption!.resume(paused);
      await env.until(() => reader.count() === 80, "all had come");
    },
  },
  {
    name: "a stopped consumption hands over nothing more, and what is out can be settled",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed();
      const reader = await env.hold(transport, subscription);
      await env.send(transport, env.messages(orders, 4));
      await env.until(() => reader.count() === 4, "the first had come");
      await reader.consumption!.stop();
      const later = env.messages(orders, 4);
      await env.send(transport, later);
      await env.quiet();
      assert.equal(reader.count(), 4);
      await ackAll(reader.deliveries);
      await reader.consumption!.close();
      const next = await env.consume(transport, subscription);
      await env.until(() => next.count() >= 4, "the later ones had come");
      await env.quiet();
      assert.deepEqual(new Set(next.ids()), new Set(later.map(idOf)));
    },
  },
  {
    name: "settling twice does no harm, whatever the second settling is",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed(env.destination(), { prefetchCount: 4 });
      const reader = await env.consume(transport, subscription, {
        async onDelivery(delivery) {
          await Promise.all([delivery.ack(), delivery.ack(), delivery.giveBack()]);
          await delivery.giveBack();
        },
      });
      const messages = env.messages(orders, 40);
      await env.send(transport, messages);
      await env.until(() => reader.count() === 40, "all had come");
      await env.quiet();
      assert.deepEqual(reader.ids().sort(), messages.map(idOf).sort());
    },
  },
  {
    name: "settling twice does not make room for two",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed(env.destination(), { prefetchCount: 4 });
      await env.send(transport, env.messages(orders, 30));
      const slow = slowly();
      const reader = await env.consume(transport, subscription, slow);
      const twice: Delivery[] = [];
      await settleAll(env, slow, () => {
        assert.ok(slow.out.length <= 4, `${slow.out.length} were out`);
        for (const delivery of twice) void delivery.ack();
        twice.splice(0, twice.length, ...slow.out.slice(0, 1));
        return reader.count() === 30;
      });
    },
  },
  {
    name: "the status tells what is left, and how old the oldest is",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed();
      const reader = await env.hold(transport, subscription);
      await env.send(transport, env.messages(orders, 10));
      await env.until(() => reader.count() === 10, "all had come");
      const backlog = async (): Promise<number> => (await reader.consumption!.inspect()).backlog;
      await env.until(async () => (await backlog()) === 10, "the backlog was 10");
      const { lagSeconds } = await reader.consumption!.inspect();
      assert.ok(lagSeconds === undefined || lagSeconds >= 0);
      await ackAll(reader.deliveries.slice(0, 6));
      await env.until(async () => (await backlog()) === 4, "the backlog was 4");
      await ackAll(reader.deliveries.slice(6));
      await env.until(async () => (await backlog()) === 0, "the backlog was gone");
      const all = await transport.inspect();
      const status = all.find(({ destination }) => destination === orders.name)!;
      assert.deepEqual(status.subscriptions, [{ service: subscription.service, backlog: 0 }]);
    },
  },
  {
    name: "the backlog of a destination is told for each service, also for one that nobody runs",
    async run(env) {
      const transport = await env.transport();
      const orders = env.destination();
      const [absent, present] = [env.subscription(orders, { service: "absent" }), env.subscription(orders, { service: "present" })];
      await env.apply(transport, [absent, present]);
      await env.consume(transport, present);
      await env.send(transport, env.messages(orders, 12));
      const backlogOf = async (service: string): Promise<number | undefined> => {
        const status = (await transport.inspect()).find(({ destination }) => destination === orders.name);
        return status?.subscriptions.find((one) => one.service === service)?.backlog;
      };
      await env.until(async () => (await backlogOf(present.service)) === 0, "the present one had everything");
      assert.equal(await backlogOf(absent.service), 12);
    },
  },
];

interface Slow {
  readonly out: Delivery[];
  readonly onDelivery: (delivery: Delivery) => void;
}

function slowly(): Slow {
  const out: Delivery[] = [];
  return { out, onDelivery: (delivery) => void out.push(delivery) };
}

/** Settles what is out one by one, oldest first, looking after each step. */
async function settleAll(env: TransportEnvironment, slow: Slow, isDone: () => boolean): Promise<void> {
  await env.until(async () => {
    const done = isDone();
    await slow.out.shift()?.ack();
    return done;
  }, "everything had come within the limits");
}
