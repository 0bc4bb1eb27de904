import assert from "node:assert/strict";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import { Reader, idOf } from "../../testing/reader.ts";
import { codeOf } from "../../testing/wait.ts";
import { appendCall, appendValues } from "./log-batch.ts";
import type { BatchIdentity } from "./log-batch.ts";
import { Destinations } from "./log-destinations.ts";
import type { PgClient } from "./connection.ts";
import { within } from "./log.test-support.ts";
import type { LogTest } from "./log.test-support.ts";
import { missingServer } from "./postgres.test-support.ts";

/** Appends in a transaction that is left open. */
async function appendOpenly({ database, schema }: LogTest, messages: readonly Outgoing[]): Promise<PgClient> {
  const client = await database.connections.borrow();
  client.on("error", () => undefined);
  await client.query({ text: "begin" });
  await append(client, { database, schema }, messages, undefined);
  return client;
}

async function append(
  client: Pick<PgClient, "query">,
  { database, schema }: Pick<LogTest, "database" | "schema">,
  messages: readonly Outgoing[],
  identity: BatchIdentity | undefined,
): Promise<boolean> {
  const destinations = new Destinations(database.connections, `"${schema.name}"`);
  await destinations.learn(messages.map(({ destination }) => destination));
  const placed = messages.map((message) => ({ message, place: destinations.peek(message.destination)! }));
  const values = appendValues(placed, identity, 0);
  const { rows } = await client.query({ text: `select ${appendCall(`"${schema.name}"`, 1)} as appended`, values });
  return rows[0]!["appended"] !== null;
}

// Without a server there is nothing to check: the bench prints why there is none.
describe.skipIf(missingServer() !== undefined)("the log on PostgreSQL", () => {
  test("a message that is committed late is not skipped, though others that were sent after it are there before", () =>
    within(async (place) => {
      const { env } = place;
      const transport = await env.transport();
      const orders = env.destination("orders.events", 1);
      const subscription = env.subscription(orders);
      await env.apply(transport, [subscription]);
      const reader = await env.consume(transport, subscription);
      const [first, late, last] = env.messages(orders, 3, () => ({ key: "one" })) as [Outgoing, Outgoing, Outgoing];
      await env.send(transport, [first]);
      await env.until(() => reader.count() === 1, "the first had come");
      const open = await appendOpenly(place, [late]);
      await env.send(transport, [last]);
      await env.quiet();
      expect(reader.ids()).toEqual([idOf(first)]);
      await open.query({ text: "commit" });
      open.release();
      await env.until(() => reader.count() === 3, "all had come");
      expect(reader.ids()).toEqual([first, late, last].map(idOf));
    }));

  test.each(["rollback", "the end of its connection"])("what waited behind a position that never comes goes on after %s", (how) =>
    within(async (place) => {
      const { env, schema } = place;
      const transport = await env.transport();
      const orders = env.destination();
      const subscription = env.subscription(orders);
      await env.apply(transport, [subscription]);
      const reader = await env.consume(transport, subscription);
      const open = await appendOpenly(place, env.messages(orders, 5));
      const { rows } = await open.query({ text: "select pg_backend_pid() as pid" });
      await env.send(transport, env.messages(orders, 20));
      await env.quiet();
      expect(reader.count()).toBe(0);
      if (how === "rollback") await open.query({ text: "rollback" });
      else await schema.admin("select pg_terminate_backend($1)", rows[0]!["pid"]);
      open.release(true);
      await env.until(() => reader.count() === 20, "all had come");
    }),
  );

  test("a new reader does not begin behind a position that is still to be committed", () =>
    within(async (place) => {
      const { env } = place;
      const transport = await env.transport();
      const orders = env.destination();
      const subscription = env.subscription(orders);
      await env.apply(transport, [subscription]);
      const late = env.messages(orders, 3);
      const open = await appendOpenly(place, late);
      await env.send(transport, env.messages(orders, 3));
      const reader = await env.consume(await env.transport(), subscription);
      await env.quiet();
      await open.query({ text: "commit" });
      open.release();
      await env.until(() => reader.count() === 6, "all had come");
      expect(reader.count()).toBe(6);
    }));

  test("units of work that overlap and end in another order than they began lose and repeat nothing", () =>
    within(async ({ env }) => {
      const { transport, store } = await env.colocated();
      const orders = env.destination("orders.events", 4);
      const subscription = env.subscription(orders);
      await env.apply(transport, [subscription]);
      const reader = await env.consume(await env.transport(), subscription);
      const messages = env.messages(orders, 400);
      const outcomes = await Promise.allSettled(
        messages.map((message, at) =>
          store.transaction(async (tx) => {
            await tx.run(`select pg_sleep(${(at % 7) / 1000})`);
            await transport.colocated!.enlist(tx, [message]);
            if (at % 5 === 0) throw new Error("no");
          }),
        ),
      );
      const sent = messages.filter((_, at) => outcomes[at]!.status === "fulfilled");
      expect(sent.length).toBe(320);
      await env.until(() => reader.count() === 320, "all had come");
      await env.quiet();
      expect(reader.ids().toSorted()).toEqual(sent.map(idOf).toSorted());
    }));

  test("a batch whose answer got lost is not written twice", () =>
    within(async (place) => {
      const { env, database } = place;
      const transport = await env.transport();
      const orders = env.destination();
      await env.apply(transport, [], [orders]);
      const messages = env.messages(orders, 3);
      const identity = { sender: "somebody", number: 7 };
      expect(await append(database.connections, place, messages, identity)).toBe(true);
      expect(await append(database.connections, place, messages, identity)).toBe(false);
      expect(await append(database.connections, place, messages, { ...identity, number: 6 })).toBe(false);
      const [status] = await transport.inspect();
      expect(status!.messages).toBe(3);
    }));

  test("a unit of work whose message was settled by a commit that was never answered comes to nothing", () =>
    within(async ({ env, schema }) => {
      const { transport, store } = await env.colocated();
      const orders = env.destination("orders.events", 1);
      const subscription = env.subscription(orders);
      await env.apply(transport, [subscription]);
      const reader = await env.hold(transport, subscription);
      await env.send(transport, env.messages(orders, 1));
      await env.until(() => reader.count() === 1, "it had come");
      const [delivery] = reader.deliveries;
      const place = `"${schema.name}"`;
      await schema.admin(
        `select ${place}.pr_settle(array[id], array[epoch], array[$1::bigint]) from ${place}.pr_cursors`,
        delivery!.position,
      );
      const attempt = store.transaction(async (tx) => {
        await tx.inbox.record({ handler: "h", messageId: "m", bodyHash: "x" });
        await transport.colocated!.settleIn(tx, delivery!);
      });
      expect(await codeOf(attempt)).toBe("PR_LEASE_LOST");
      expect(await store.inbox.count()).toBe(0);
      expect((await reader.consumption!.inspect()).backlog).toBe(0);
    }));

  test("an owner that does not know yet that its lanes are another's settles nothing, on any way", () =>
    within(
      async ({ env, schema }) => {
        const { transport, store } = await env.colocated();
        const orders = env.destination("orders.events", 3);
        const subscription = env.subscription(orders);
        await env.apply(transport, [subscription]);
        const reader = await env.hold(transport, subscription);
        await env.send(transport, env.messages(orders, 60));
        await env.until(() => reader.count() === 60, "all had come");
        const place = `"${schema.name}"`;
        await schema.admin(`update ${place}.pr_cursors set owner = 'another', epoch = epoch + 1, lease_until = ${place}.pr_now() + 60000`);
        const [one, two, three] = [0, 1, 2].map((lane) => reader.deliveries.find((delivery) => delivery.lane.number === lane)!);
        const withSql = store.transaction(async (tx) => {
          await tx.inbox.record({ handler: "h", messageId: "m", bodyHash: "x" });
          await transport.colocated!.enlist(tx, env.messages(orders, 1));
          await transport.colocated!.settleIn(tx, one!);
        });
        const alone = store.transaction((tx) => {
          void transport.colocated!.enlist(tx, env.messages(orders, 1));
          return transport.colocated!.settleIn(tx, two!);
        });
        // All at once: the first to be told drops the lanes, and the others would not get to the server.
        expect(await Promise.all([withSql, alone, three!.ack()].map(codeOf))).toEqual(Array(3).fill("PR_LEASE_LOST"));
        expect(await store.inbox.count()).toBe(0);
        const [status] = await transport.inspect();
        expect(status).toEqual({ destination: orders.name, messages: 60, subscriptions: [{ service: subscription.service, backlog: 60 }] });
      },
      { leaseMs: 60_000 },
    ));

  test("a message that the server refuses fails its own send and its own unit of work, not those beside it", () =>
    within(async ({ env, schema }) => {
      const { transport, store } = await env.colocated();
      const orders = env.destination("orders.events", 2);
      const subscription = env.subscription(orders, { types: ["orders.placed"] });
      await env.apply(transport, [subscription]);
      await schema.admin(`alter table "${schema.name}".pr_log add check (type <> 'poison')`);
      const outcomes = await Promise.all(
        env
          .messages(orders, 20, (at) => (at === 7 ? { type: "poison" } : {}))
          .map((message) => transport.send([message], { deadlineMs: 10_000 })),
      );
      expect(outcomes.map(([outcome]) => outcome?.code)).toEqual(
        Array.from(outcomes, (_, at) => (at === 7 ? "PR_TRANSPORT_FAILED" : undefined)),
      );
      const reader = await env.hold(transport, subscription);
      await env.until(() => reader.count() === 19, "all but the refused one had come");
      const units = reader.deliveries.slice(0, 10).map((delivery, at) =>
        store.transaction((tx) => {
          void transport.colocated!.enlist(
            tx,
            env.messages(orders, 1, () => ({ type: at === 4 ? "poison" : "other" })),
          );
          return transport.colocated!.settleIn(tx, delivery);
        }),
      );
      expect(await Promise.all(units.map(codeOf))).toEqual(Array.from(units, (_, at) => (at === 4 ? "PR_TRANSPORT_FAILED" : undefined)));
      await env.until(async () => (await reader.consumption!.inspect()).backlog === 10, "nine were settled");
      await reader.deliveries[4]!.ack();
      await env.until(async () => (await reader.consumption!.inspect()).backlog === 9, "it could still be settled");
    }));

  test("a lane whose owner froze in the middle of a commit is taken over", () =>
    within(async ({ env, schema, database }) => {
      const { transport } = env.fixture.connect();
      await transport.open();
      const orders = env.destination("orders.events", 1);
      const subscription = env.subscription(orders);
      await env.apply(transport, [subscription]);
      const stuck = new Reader({ onDelivery: () => undefined });
      await transport.consume(subscription, stuck);
      await env.send(transport, env.messages(orders, 2));
      await env.until(() => stuck.count() === 2, "it had come");
      const frozen = await database.connections.borrow();
      frozen.on("error", () => undefined);
      await frozen.query({ text: "begin" });
      const place = `"${schema.name}"`;
      await frozen.query({
        text: `select ${place}.pr_settle(array[id], array[epoch], array[$1::bigint]) from ${place}.pr_cursors`,
        values: [stuck.deliveries[0]!.position],
      });
      (transport as unknown as { abandon(): void }).abandon();
      const next = await env.consume(await env.transport(), subscription);
      await env.until(() => next.count() === 2, "the next owner had both");
      await assert.rejects(frozen.query({ text: "commit" }));
      frozen.release(true);
    }));

  test("what everybody has read is cut by retention, and what somebody has not read is not", () =>
    within(
      async ({ env, schema }) => {
        const transport = await env.transport();
        const orders = env.destination("orders.events", 2);
        const [fast, slow] = [env.subscription(orders, { service: "fast" }), env.subscription(orders, { service: "slow" })];
        await env.apply(transport, [fast, slow]);
        const reader = await env.consume(transport, fast);
        await env.send(transport, env.messages(orders, 50));
        await env.until(() => reader.count() === 50, "the fast one had all");
        const rows = async (): Promise<number> =>
          Number((await schema.admin(`select count(*) as count from "${schema.name}".pr_log`))[0]!["count"]);
        await systemClock.sleep(6000); // longer than the pause between two cuts: nothing must have been cut
        expect(await rows()).toBe(50);
        const late = await env.consume(transport, slow);
        await env.until(() => late.count() === 50, "the slow one had all, too");
        await env.until(async () => (await rows()) <= 10, "it was cut");
        await env.send(transport, env.messages(orders, 3));
        await env.until(() => reader.count() === 53 && late.count() === 53, "what came later was read");
      },
      { retention: { messages: 10 } },
    ));
});
