import assert from "node:assert/strict";
import { codeOf } from "../wait.ts";
import { needs } from "./test.ts";
import type { TransportTest } from "./test.ts";

/** What a transport says no to. */
export const refusalTests: readonly TransportTest[] = [
  {
    name: "a message to an unknown destination has an error as its outcome, and its neighbours leave",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed();
      const reader = await env.consume(transport, subscription);
      const [before, after] = [env.message(orders), env.message(orders)];
      const outcomes = await transport.send([before, env.message(env.destination("nowhere.events")), after], { deadlineMs: 10_000 });
      assert.deepEqual(
        outcomes.map((outcome) => outcome?.code),
        [undefined, "PR_DESTINATION_UNKNOWN", undefined],
      );
      await env.until(() => reader.count() === 2, "the neighbours had come");
    },
  },
  {
    name: "a body over the limit is refused by itself, and its neighbours leave",
    notFor: needs("bodyLimit"),
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed();
      const reader = await env.consume(transport, subscription);
      const limit = transport.capabilities.maxBodyBytes;
      const batch = [
        env.message(orders),
        env.message(orders, { body: "é".repeat(limit / 2) + "x" }),
        env.message(orders, { body: new Uint8Array(limit) }),
      ];
      const outcomes = await transport.send(batch, { deadlineMs: 10_000 });
      assert.deepEqual(
        outcomes.map((outcome) => [outcome?.code, outcome?.retryable]),
        [
          [undefined, undefined],
          ["PR_BODY_TOO_LARGE", false],
          [undefined, undefined],
        ],
      );
      await env.until(() => reader.count() === 2, "the neighbours had come");
    },
  },
  {
    name: "reading a destination that is not there is refused",
    async run(env) {
      const transport = await env.transport();
      const code = await codeOf(
        transport.consume(env.subscription(env.destination("nowhere.events")), {
          onAssigned() {},
          onRevoked() {},
          deliver() {},
          onError() {},
        }),
      );
      assert.equal(code, "PR_DESTINATION_UNKNOWN");
    },
  },
  {
    name: "a closed transport refuses everything, and may be closed again",
    async run(env) {
      const transport = await env.transport();
      const orders = env.destination();
      await env.apply(transport, [], [orders]);
      await transport.close();
      await transport.close();
      assert.equal(await codeOf(transport.send([env.message(orders)], { deadlineMs: 1000 })), "PR_TRANSPORT_CLOSED");
      const sink = { onAssigned() {}, onRevoked() {}, deliver() {}, onError() {} };
      assert.equal(await codeOf(transport.consume(env.subscription(orders), sink)), "PR_TRANSPORT_CLOSED");
    },
  },
  {
    name: "the plan names what is missing, changes nothing, and is empty once it is applied",
    async run(env) {
      const transport = await env.transport();
      const orders = env.destination();
      const topology = { destinations: [orders], subscriptions: [env.subscription(orders)] };
      const creating = async (): Promise<number> =>
        (await transport.plan(topology)).changes.filter(({ action }) => action === "create").length;
      assert.ok((await creating()) > 0);
      assert.ok((await creating()) > 0, "a plan changes nothing");
      await transport.apply(topology);
      assert.deepEqual((await transport.plan(topology)).changes, []);
      await transport.apply(topology);
    },
  },
  {
    name: "another number of lanes than there is shows in the plan and is not applied",
    async run(env) {
      const transport = await env.transport();
      await env.apply(transport, [], [env.destination("orders.events", 4)]);
      const topology = { destinations: [env.destination("orders.events", 6)], subscriptions: [] };
      assert.deepEqual(
        (await transport.plan(topology)).changes.map(({ action }) => action),
        ["change"],
      );
      assert.equal(await codeOf(transport.apply(topology)), "PR_TOPOLOGY_DRIFT");
    },
  },
  {
    name: "an external destination is only checked, never made",
    async run(env) {
      const transport = await env.transport();
      const external = { ...env.destination("theirs.events"), isExternal: true };
      assert.equal(await codeOf(transport.apply({ destinations: [external], subscriptions: [] })), "PR_TOPOLOGY_DRIFT");
      await env.apply(transport, [], [{ ...external, isExternal: false }]);
      await transport.apply({ destinations: [external], subscriptions: [] });
    },
  },
];
