import { expect, test } from "vitest";
import { deferred } from "../base/deferred.ts";
import type { OutboxReader } from "../ports/outbox.ts";
import type { Store } from "../ports/store.ts";
import type { Outgoing } from "../envelope/envelope.ts";
import type { Transport } from "../ports/transport.ts";
import { harbour, message, write } from "./relay.test-support.ts";

test("rows of the other kind wake nobody; rows of who knows which kind do", async () => {
  const { clock, store, relay } = await harbour();
  let claims = 0;
  let tell: Parameters<OutboxReader["onAppended"]>[0] = () => undefined;
  const outbox: OutboxReader = Object.assign(Object.create(store.outbox) as OutboxReader, {
    claim: () => (claims++, []),
    onAppended: (listener: typeof tell) => ((tell = listener), () => undefined),
  });
  const running = relay({ store: Object.assign(Object.create(store) as Store, { outbox, now: () => clock.now() }) });
  running.start();
  await clock.advance(0);
  const lookedOn = async (...kinds: Parameters<typeof tell>): Promise<number> => {
    const before = claims;
    tell(...kinds);
    await clock.advance(0);
    return claims - before;
  };
  expect([await lookedOn("command"), await lookedOn("event"), await lookedOn()]).toEqual([0, 1, 1]);
  await running.stop();
});

test("of a backlog the next rows leave while those before are under way, but none of their keys", async () => {
  const { clock, store, transport, relay, ids } = await harbour();
  const gates = [deferred(), deferred(), deferred()];
  const calls: string[][] = [];
  const slow = Object.assign(Object.create(transport) as Transport, {
    send: async (batch: readonly Outgoing[], options: { deadlineMs: number }) => {
      const gate = gates[calls.push(batch.map(({ envelope }) => envelope.id)) - 1];
      await gate?.promise;
      return transport.send(batch, options);
    },
  });
  await write(store, message("a1", "a"), message("b1", "b"), message("a2", "a"), message("c1", "c"), message("d1", "d"));
  const running = relay({ transport: () => slow, batch: 2 });
  running.start();
  await clock.advance(0);
  expect(calls).toEqual([
    ["a1", "b1"],
    ["c1", "d1"],
  ]);
  gates[0]!.resolve();
  gates[1]!.resolve();
  gates[2]!.resolve();
  await clock.advance(0);
  expect([ids(), clock.now()]).toEqual([["a1", "b1", "c1", "d1", "a2"], 0]);
  await running.stop();
});

test("large rows are claimed a few at a time", async () => {
  const { clock, store, relay, sent } = await harbour();
  const limits: number[] = [];
  const outbox = Object.assign(Object.create(store.outbox) as OutboxReader, {
    claim: (options: Parameters<OutboxReader["claim"]>[0]) => (limits.push(options.limit), store.outbox.claim(options)),
  });
  const body = "x".repeat(512 * 1024);
  await write(store, ...Array.from({ length: 40 }, (_, at) => ({ ...message(`${at}`), body })));
  const running = relay({ batch: 20, store: Object.assign(Object.create(store) as Store, { outbox, now: () => clock.now() }) });
  running.start();
  await clock.advance(0);
  expect([limits[0], limits[1], sent.length]).toEqual([20, 16, 40]);
  await running.stop();
});
