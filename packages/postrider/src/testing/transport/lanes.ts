import assert from "node:assert/strict";
import { deferred } from "../../base/deferred.ts";
import type { Delivery, Lane } from "../../ports/transport.ts";
import { idOf } from "../reader.ts";
import type { Reader } from "../reader.ts";
import { ackAll } from "../transport-environment.ts";
import { codeOf } from "../wait.ts";
import { needsLanes, needsLanesAndStore } from "./test.ts";
import type { TransportTest } from "./test.ts";

/** Who owns a lane, and what becomes of it when the owner changes. */
export const laneTests: readonly TransportTest[] = [
  {
    name: "each lane has one owner, and two consumers share them fairly",
    notFor: needsLanes,
    async run(env) {
      const [one, two] = [await env.transport(), await env.transport()];
      const subscription = env.subscription(env.destination("orders.events", 8));
      await env.apply(one, [subscription]);
      const first = await env.consume(one, subscription);
      await env.until(() => first.lanes.size === 8, "the first had all lanes");
      const second = await env.consume(two, subscription);
      await env.until(() => first.lanes.size === 4 && second.lanes.size === 4, "they had 4 lanes each");
      assert.deepEqual(
        [...first.lanes.keys(), ...second.lanes.keys()].sort((left, right) => left - right),
        [0, 1, 2, 3, 4, 5, 6, 7],
      );
    },
  },
  {
    name: "the epoch of a lane grows with each owner",
    notFor: needsLanes,
    async run(env) {
      const transport = await env.transport();
      const subscription = env.subscription(env.destination("orders.events", 2));
      await env.apply(transport, [subscription]);
      let before: readonly Lane[] = [];
      for (let round = 0; round < 3; round++) {
        const reader = await env.consume(transport, subscription);
        await env.until(() => reader.lanes.size === 2, "it had both lanes");
        const lanes = [...reader.lanes.values()];
        for (const old of before) assert.ok(lanes.find(({ number }) => number === old.number)!.epoch > old.epoch);
        before = lanes;
        await reader.consumption!.close();
      }
    },
  },
  {
    name: "deliveries of a lane start after onAssigned has settled",
    notFor: needsLanes,
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed(env.destination("orders.events", 1));
      await env.send(transport, env.messages(orders, 3));
      const gate = deferred();
      const reader = await env.consume(transport, subscription, { onAssigned: () => gate.promise });
      await env.quiet();
      assert.equal(reader.count(), 0);
      gate.resolve();
      await env.until(() => reader.count() === 3, "all had come");
      assert.equal(reader.history[0], "assigned 0");
    },
  },
  {
    name: "a lane that is refused at its assignment goes to another, with nothing lost",
    notFor: needsLanes,
    async run(env) {
      const [one, two] = [await env.transport(), await env.transport()];
      const orders = env.destination("orders.events", 2);
      const subscription = env.subscription(orders);
      await env.apply(one, [subscription]);
      const refuser = await env.consume(one, subscription, { onAssigned: () => Promise.reject(new Error("not me")) });
      const taker = await env.consume(two, subscription);
      await env.send(one, env.messages(orders, 20));
      await env.until(() => taker.count() === 20 || taker.lanes.size > 0, "the other had lanes");
      await refuser.consumption!.close();
      await env.until(() => taker.count() === 20, "the other had everything");
      assert.equal(refuser.deliveries.length, 0);
    },
  },
  {
    name: "nothing of a lane is handed over once its revocation was announced",
    notFor: needsLanes,
    async run(env) {
      const [one, two] = [await env.transport(), await env.transport()];
      const orders = env.destination("orders.events", 4);
      const subscription = env.subscription(orders);
      await env.apply(one, [subscription]);
      const first = await env.consume(one, subscription);
      await env.until(() => first.lanes.size === 4, "the first had all lanes");
      await env.send(
        one,
        env.messages(orders, 100, (at) => ({ key: `key-${at}` })),
      );
      const second = await env.consume(two, subscription);
      await env.send(
        one,
        env.messages(orders, 100, (at) => ({ key: `key-${at}` })),
      );
      await env.until(() => first.lanes.size === 2 && second.lanes.size === 2, "they shared");
      await env.send(
        one,
        env.messages(orders, 100, (at) => ({ key: `key-${at}` })),
      );
      await env.until(() => new Set([...first.ids(), ...second.ids()]).size === 300, "all had come");
      for (const reader of [first, second]) assertQuietAfterRevocation(reader);
    },
  },
  {
    name: "while lanes move to a newcomer, what is running may end and nothing runs twice",
    notFor: needsLanes,
    async run(env) {
      const [one, two] = [await env.transport(), await env.transport()];
      const orders = env.destination("orders.events", 4);
      const subscription = env.subscription(orders);
      await env.apply(one, [subscription]);
      const out: Delivery[] = [];
      const first = await env.consume(one, subscription, {
        onDelivery: (delivery) => void out.push(delivery),
        // A good consumer: what it has is settled before the lane goes.
        onRevoked: (lane) => ackAll(out.filter((delivery) => delivery.lane.number === lane.number)),
      });
      const messages = env.messages(orders, 60, (at) => ({ key: `key-${at}` }));
      await env.send(one, messages);
      await env.until(() => first.count() === 60, "the first had everything");
      const second = await env.consume(two, subscription);
      await env.until(() => second.lanes.size === 2, "the second had its share");
      await env.quiet();
      assert.equal(second.deliveries.length, 0, "what was settled in time does not come again");
    },
  },
  {
    name: "what was out and unsettled comes again at the next owner, in order",
    notFor: needsLanes,
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed(env.destination("orders.events", 1));
      const first = await env.hold(transport, subscription);
      const messages = env.messages(orders, 10, () => ({ key: "one" }));
      await env.send(transport, messages);
      await env.until(() => first.count() === 10, "the first had everything");
      await ackAll(first.deliveries.slice(0, 4));
      await first.consumption!.close();
      assert.ok(first.history.includes("revoked 0 closing"));
      const second = await env.consume(transport, subscription);
      await env.until(() => second.count() === 6, "the second had the rest");
      assert.deepEqual(second.ids(), messages.slice(4).map(idOf));
    },
  },
  {
    name: "a settling by an owner that did not let go in time says nothing",
    notFor: needsLanes,
    async run(env) {
      const [one, two] = [await env.transport(), await env.transport()];
      const orders = env.destination("orders.events", 2);
      const subscription = env.subscription(orders);
      await env.apply(one, [subscription]);
      const never = deferred();
      const stuck = await env.consume(one, subscription, { onDelivery: () => undefined, onRevoked: () => never.promise });
      await env.send(
        one,
        env.messages(orders, 20, (at) => ({ key: `key-${at}` })),
      );
      await env.until(() => stuck.count() === 20, "the first had everything");
      const next = await env.hold(two, subscription);
      await env.until(() => next.count() > 0, "a lane had gone to the next owner");
      const stale = stuck.deliveries.filter(({ lane }) => next.lanes.has(lane.number));
      await Promise.all(stale.map((delivery) => codeOf(delivery.ack())));
      never.resolve();
      await next.consumption!.close();
      await stuck.consumption!.close();
      const last = await env.consume(two, subscription);
      await env.until(() => last.count() === 20, "everything came again");
    },
  },
  {
    name: "a transaction that settles a delivery of a lost lane is rolled back",
    notFor: needsLanesAndStore,
    async run(env) {
      const [one, two] = [await env.colocated(), await env.colocated()];
      const orders = env.destination("orders.events", 2);
      const subscription = env.subscription(orders);
      await env.apply(one.transport, [subscription]);
      const never = deferred();
      const stuck = await env.consume(one.transport, subscription, { onDelivery: () => undefined, onRevoked: () => never.promise });
      await env.send(
        one.transport,
        env.messages(orders, 20, (at) => ({ key: `key-${at}` })),
      );
      await env.until(() => stuck.count() === 20, "the first had everything");
      const next = await env.hold(two.transport, subscription);
      await env.until(() => next.count() > 0, "a lane had gone to the next owner");
      const stale = stuck.deliveries.find(({ lane }) => next.lanes.has(lane.number))!;
      const attempt = one.store.transaction(async (tx) => {
        await tx.inbox.record({ handler: "h", messageId: idOf(stale), bodyHash: "x" });
        await one.transport.colocated!.settleIn(tx, stale);
      });
      assert.equal(await codeOf(attempt), "PR_LEASE_LOST");
      assert.equal(await one.store.inbox.count(), 0, "what it wrote is gone");
      never.resolve();
    },
  },
];

function assertQuietAfterRevocation({ history }: Reader): void {
  const revoked = new Set<string>();
  for (const event of history) {
    const [what, lane] = event.split(" ") as [string, string];
    if (what === "revoked") revoked.add(lane);
    if (what === "assigned") revoked.delete(lane);
    assert.ok(what !== "delivered" || !revoked.has(lane), `lane ${lane} was handed over after its revocation`);
  }
}
