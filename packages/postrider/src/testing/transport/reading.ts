import assert from "node:assert/strict";
import type { FoundMessage } from "../../envelope/envelope.ts";
import type { ReadMessage, ReadRange, Transport } from "../../ports/transport.ts";
import { idOf } from "../reader.ts";
import { needs } from "./test.ts";
import type { TransportTest } from "./test.ts";

/** Replay, and answers. */
export const readingTests: readonly TransportTest[] = [
  {
    name: "old messages can be read again from the first, by position and by time, without touching any subscription",
    notFor: needs("replay"),
    async run(env) {
      const transport = await env.transport();
      const orders = env.destination("orders.events", 1); // order and positions are a lane's
      const subscription = env.subscription(orders);
      await env.apply(transport, [subscription]);
      const messages = env.messages(orders, 20, (at) => ({
        key: `key-${at % 5}`,
        body: at % 2 === 0 ? `text ${at}` : Uint8Array.of(0xff, at),
      }));
      for (const message of messages) await env.send(transport, [message]);
      const all = await collect(transport, orders.name, { from: "earliest" });
      assert.deepEqual(all.map(idOf), messages.map(idOf));
      assert.deepEqual(
        all.map(({ body }) => body),
        messages.map(({ body }) => body),
      );
      const from = all[5]!.position;
      assert.deepEqual((await collect(transport, orders.name, { from: { position: from } })).map(idOf), messages.slice(5).map(idOf));
      const to = all[9]!.position;
      assert.deepEqual(
        (await collect(transport, orders.name, { from: { position: from }, to: { position: to } })).map(idOf),
        messages.slice(5, 10).map(idOf),
      );
      assert.deepEqual(await collect(transport, orders.name, { from: "latest" }), []);
      assert.equal((await collect(transport, orders.name, { from: { time: "2000-01-01T00:00:00.000Z" } })).length, 20);
      assert.equal((await collect(transport, orders.name, { from: { time: "2999-01-01T00:00:00.000Z" } })).length, 0);
      const reader = await env.consume(transport, subscription);
      await env.until(() => reader.count() === 20, "the subscription had everything");
    },
  },
  {
    name: "old messages of several lanes can be read again, each lane in its order",
    notFor: needs("replay"),
    async run(env) {
      const transport = await env.transport();
      const orders = env.destination();
      await env.apply(transport, [env.subscription(orders)]);
      const messages = env.messages(orders, 60, (at) => ({ key: `key-${at % 12}` }));
      await env.send(transport, messages);
      const all = await collect(transport, orders.name, { from: "earliest" });
      assert.deepEqual(new Set(all.map(idOf)), new Set(messages.map(idOf)));
      for (const lane of new Set(all.map((one) => one.lane))) {
        const inLane = all.filter((one) => one.lane === lane).map(idOf);
        assert.deepEqual(
          inLane,
          messages.map(idOf).filter((id) => inLane.includes(id)),
        );
      }
    },
  },
  {
    name: "messages that were handled a moment ago can still be read again",
    notFor: needs("replay"),
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed();
      const reader = await env.consume(transport, subscription);
      const messages = env.messages(orders, 10);
      await env.send(transport, messages);
      await env.until(() => reader.count() === 10, "all had come");
      const again = await collect(transport, orders.name, { from: "earliest" });
      assert.deepEqual(again.map(idOf).sort(), messages.map(idOf).sort());
      assert.ok(again.every(({ storedAt }) => storedAt === undefined || !Number.isNaN(Date.parse(storedAt))));
    },
  },
  {
    name: "an answer reaches the inbox that it is addressed to, and no other, from any instance",
    async run(env) {
      const [asking, answering] = [await env.transport(), await env.transport()];
      const [mine, others]: [FoundMessage[], FoundMessage[]] = [[], []];
      const inbox = await asking.replyInbox((message) => void mine.push(message));
      const other = await asking.replyInbox((message) => void others.push(message));
      assert.notEqual(inbox.address, other.address);
      const answer = (at: number) => ({
        ...env.message(env.destination(), { body: `답 ${at}\u0000`, headers: { h: "v" } }),
        destination: inbox.address,
      });
      await env.send(answering, [answer(1)]);
      await env.send(asking, [answer(2), answer(3)]);
      await env.until(() => mine.length === 3, "all answers had come");
      await env.quiet();
      assert.deepEqual(mine.map(({ body }) => String(body)).sort(), ["답 1\u0000", "답 2\u0000", "답 3\u0000"]);
      assert.equal(mine[0]!.headers["h"], "v");
      assert.equal(others.length, 0);
      await inbox.close();
      await other.close();
    },
  },
  {
    name: "an answer to somebody who has gone is no error, and comes to nobody",
    async run(env) {
      const transport = await env.transport();
      const answers: FoundMessage[] = [];
      const inbox = await transport.replyInbox((message) => void answers.push(message));
      await inbox.close();
      await inbox.close();
      await env.send(transport, [{ ...env.message(env.destination()), destination: inbox.address }]);
      await env.quiet();
      assert.equal(answers.length, 0);
    },
  },
  {
    name: "an answer enlisted in a transaction comes with the commit",
    notFor: needs("colocated"),
    async run(env) {
      const { transport, store } = await env.colocated();
      const answers: FoundMessage[] = [];
      const inbox = await transport.replyInbox((message) => void answers.push(message));
      const answer = { ...env.message(env.destination(), { body: "yes" }), destination: inbox.address };
      await store.transaction((tx) => void transport.colocated!.enlist(tx, [answer]));
      await env.until(() => answers.length === 1, "the answer had come");
      assert.equal(answers[0]!.body, "yes");
      await inbox.close();
    },
  },
];

async function collect(transport: Transport, destination: string, range: ReadRange): Promise<ReadMessage[]> {
  const found: ReadMessage[] = [];
  for await (const message of transport.read(destination, range)) found.push(message);
  return found;
}
