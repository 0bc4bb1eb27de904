import { expect, test } from "vitest";
import { deferred } from "../base/deferred.ts";
import { service } from "../pipeline/service.ts";
import type { TestApp } from "./app.test-support.ts";
import { appOf, PlaceOrder } from "./app.test-support.ts";

/** Has the one turn to write until it is told to let go. */
async function holdTurn(app: TestApp): Promise<() => Promise<void>> {
  const end = deferred();
  const held = app.bus.as("ordering").transaction(async ({ tx }) => {
    await tx.run("create table if not exists orders (id text)");
    await end.promise;
  });
  await app.pass();
  return async () => {
    end.resolve();
    await app.pass();
    await held;
  };
}

test("a handler's time limit stands still while it waits for its turn to write, and goes on when it has it", async () => {
  const seen: string[] = [];
  const ordering = service(
    "ordering",
    (on) =>
      on(PlaceOrder, async ({ orderId }, { tx, signal }) => {
        await tx.run("insert into orders values (?)", orderId);
        seen.push(`${orderId} writes`);
        if (orderId === "slow")
          await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
      }),
    { timeoutMs: 1000, retry: { immediate: 0, delayed: 0 } },
  );
  await using app = await appOf([ordering]);
  const letGo = await holdTurn(app);
  await app.bus.as("ordering").send(PlaceOrder, { orderId: "quick", total: 1 }, { direct: true });
  await app.bus.as("ordering").send(PlaceOrder, { orderId: "slow", total: 1 }, { direct: true });
  await app.pass(20_000);
  expect([seen, app.alerts]).toEqual([[], []]);
  await letGo();
  await app.pass(500);
  expect([seen, app.alerts]).toEqual([["quick writes", "slow writes"], []]);
  await app.pass(1000);
  expect(app.alerts).toMatchObject([{ kind: "deadLetter", code: "PR_HANDLER_TIMEOUT" }]);
});
