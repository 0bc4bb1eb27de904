import { expect, test } from "vitest";
import { memoryWorld } from "../adapters/memory/world.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { service } from "../pipeline/service.ts";
import type { Transport } from "../ports/transport.ts";
import { appOf, OrderPlaced, PlaceOrder } from "./app.test-support.ts";

/** A broker of its own, so that what goes there leaves by the outbox; `send` stands for the real one. */
function far(transport: Transport, send: Transport["send"]): Transport {
  return new Proxy(transport, {
    get: (target, name) => {
      if (name === "send") return send;
      if (name === "colocated") return undefined;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

test("a broker of commands that answers nothing holds up no event, whatever waits before it", async () => {
  const clock = new VirtualClock();
  const world = memoryWorld({ clock });
  const [events, sent, placed]: [Transport, string[], string[]] = [world.transport(), [], []];
  const ordering = service("ordering", (on) => {
    on(PlaceOrder, () => undefined);
    on(OrderPlaced, ({ orderId }) => void placed.push(orderId));
  });
  await using app = await appOf([ordering], {
    clock,
    world,
    commands: far(world.transport(), () => new Promise<never>(() => undefined)),
    events: far(events, (batch, options) => {
      for (const { destination } of batch) sent.push(destination);
      return events.send(batch, options);
    }),
  });
  const sender = app.bus.as("ordering");
  for (let n = 0; n < 1500; n++) await sender.send(PlaceOrder, { orderId: `c-${n}`, total: 1 });
  await sender.publish(OrderPlaced, { orderId: "e-1", total: 1 });
  await app.pass(100);
  expect([sent, placed]).toEqual([["order.events"], ["e-1"]]);
});
