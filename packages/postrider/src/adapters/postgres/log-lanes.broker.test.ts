import { describe, expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import type { Clock } from "../../base/clock.ts";
import type { StoreTransaction } from "../../ports/store.ts";
import type { Delivery } from "../../ports/transport.ts";
import { codeOf } from "../../testing/wait.ts";
import { within } from "./log.test-support.ts";
import { missingServer } from "./postgres.test-support.ts";

/** No transaction is ever old enough to be closed, and nobody waits for anything else: so units of a backlog share, however busy the machine is. */
const UNHURRIED: Clock = { ...systemClock, monotonicMs: () => 0 };

// Without a server there is nothing to check: the bench prints why there is none.
describe.skipIf(missingServer() !== undefined)("lanes of the log on PostgreSQL", () => {
  test("a lane that is lost within a shared transaction takes nothing of the others with it, and leaves nothing of its own", () =>
    within(
      async ({ env, schema }) => {
        const { transport, store } = await env.colocated();
        const orders = env.destination("orders.events", 2);
        const subscription = env.subscription(orders);
        await env.apply(transport, [subscription]);
        const reader = await env.hold(transport, subscription);
        await env.send(transport, env.messages(orders, 60));
        await env.until(() => reader.count() === 60, "all had come");
        await store.transaction((tx) => tx.run("create table effects (position bigint not null)"));
        const place = `"${schema.name}"`;
        await schema.admin(
          `update ${place}.pr_cursors set owner = 'another', epoch = epoch + 1, lease_until = ${place}.pr_now() + 60000 where lane = 0`,
        );
        const effect = (delivery: Delivery) => async (tx: StoreTransaction) => {
          await tx.run("insert into effects (position) values (?)", delivery.position);
          await transport.colocated!.settleIn(tx, delivery);
        };
        const first = await Promise.all(
          reader.deliveries.map((delivery) => codeOf(store.transaction(effect(delivery), { mayShare: true }))),
        );
        expect(first).toContain("PR_STORE_CONFLICT"); // they shared, and were sent back
        const codes: unknown[] = [];
        for (const [at, delivery] of reader.deliveries.entries())
          codes.push(first[at] === "PR_STORE_CONFLICT" ? await codeOf(store.transaction(effect(delivery))) : first[at]);
        expect(codes).toEqual(reader.deliveries.map(({ lane }) => (lane.number === 0 ? "PR_LEASE_LOST" : undefined)));
        const rows = await store.read.all<{ position: number }>("select position from effects order by position");
        const kept = reader.deliveries.filter(({ lane }) => lane.number === 1).map(({ position }) => position);
        expect(rows.map(({ position }) => position)).toEqual(kept.toSorted((left, right) => left - right));
      },
      { leaseMs: 60_000, clock: UNHURRIED },
    ));

  test.each([
    [
      "settled",
      (ids: readonly [number, number]) =>
        `select %.pr_checkpoint(array[${ids[1]}, ${ids[0]}], array[1, 1]::bigint[], array[0, 0]::bigint[], array['{}', '{}'], array[0, 0]::bigint[], array['{}', '{}'], array[]::integer[], array[]::bigint[], false)`,
    ],
    ["renewed", () => "select %.pr_renew('me', 'billing', 7, 0, 1000)"],
  ])("rows of lanes that are %s are locked in one order, so that two never wait for each other in a circle", (_, statementOf) =>
    within(async ({ schema, env }) => {
      const { transport } = await env.colocated();
      await env.apply(transport, [], [env.destination()]);
      const place = `"${schema.name}"`;
      const rows = await schema.admin(
        `insert into ${place}.pr_cursors (service, destination, lane, epoch, owner, position, high_position) select 'billing', 7, 1 - n, 1, 'me', 0, 0 from generate_series(0, 1) n returning id`,
      );
      const ids = rows.map(({ id }) => id as number) as [number, number];
      await schema.admin(`update ${place}.pr_cursors set lease_until = 1 where id = $1`, ids[0]); // now it stands behind the other, in the table as by its lane
      const release = await schema.hold(`begin; select 1 from ${place}.pr_cursors where id = ${ids[0]} for update`);
      const writing = schema.admin(statementOf(ids).replace("%", place));
      const waits = "select 1 from pg_locks where locktype = 'transactionid' and not granted";
      await env.until(async () => (await schema.admin(waits)).length > 0, "it waits for the first row");
      const free = await schema.admin(`select id from ${place}.pr_cursors where id = $1 for update skip locked`, ids[1]);
      await release();
      await writing;
      expect(free).toEqual([{ id: ids[1] }]);
    }),
  );
});
