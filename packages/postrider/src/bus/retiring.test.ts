import { expect, test } from "vitest";
import { memoryWorld } from "../adapters/memory/world.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { service } from "../pipeline/service.ts";
import { appOf, PlaceOrder } from "./app.test-support.ts";

const order = (orderId: string): { orderId: string; total: number } => ({ orderId, total: 1 });

test("a command that gets another owner is not run again, and the old owner's subscription can be retired", async () => {
  const clock = new VirtualClock();
  const world = memoryWorld({ clock });
  const seen: string[] = [];
  const owner = (name: string) => service(name, (on) => on(PlaceOrder, ({ orderId }) => void seen.push(`${name} ${orderId}`)));
  await using before = await appOf([owner("ordering")], { clock, world });
  await before.bus.as("ordering").send(PlaceOrder, order("handled"));
  await before.pass();
  await before[Symbol.asyncDispose]();
  await using after = await appOf([owner("sales")], { clock, world });
  await after.bus.as("sales").send(PlaceOrder, order("new"));
  await after.pass();
  expect(seen).toEqual(["ordering handled", "sales new"]);
  const { operations } = after.bus;
  const old = { service: "ordering", destination: "order.commands" };
  await expect(operations.retire({ ...old, service: "sales" })).rejects.toMatchObject({ code: "PR_SUBSCRIPTION_USED" });
  await expect(operations.retire({ ...old, destination: "no.commands" })).rejects.toMatchObject({ code: "PR_DESTINATION_UNKNOWN" });
  await expect(operations.retire(old)).rejects.toThrow(/1 unread message/);
  await operations.retire({ ...old, dropUnread: true });
  expect(await operations.destinations()).toMatchObject([{ subscriptions: [{ service: "sales", backlog: 0 }] }]);
});
