import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { missingOwn, ownBroker } from "../brokers/own.ts";
import { until } from "./wait.ts";
import { World } from "./world.ts";

const missing = missingOwn("postgres");
const COUNT = 10_000;
const KEYS = 200;

// Without a server there is nothing to break: the name says why there is none.
describe.skipIf(missing !== undefined)(`a PostgreSQL server that dies${missing === undefined ? "" : ` (skipped: ${missing})`}`, () => {
  test("of 10,000 messages none is lost, none handled twice and no key reordered, while it is killed and started again three times", async () => {
    await using server = await ownBroker("postgres");
    await using sender = new World("sender", { url: server.url, schema: "app" });
    await using reader = new World("reader", { url: server.url, schema: "app" });
    await sender.open();
    await reader.open();
    await reader.consume();
    const ids = Array.from({ length: COUNT }, (_, at) => `m-${String(at).padStart(6, "0")}`);
    const sending = sendAll(sender, ids);
    for (const share of [0.2, 0.5, 0.8]) {
      await until(() => reader.handled >= COUNT * share);
      await server.kill();
      await sleep(300);
      await server.start();
    }
    const outcomes = await sending;
    expect(outcomes.filter((code) => code !== undefined)).toEqual([]);
    await until(async () => (await reader.ledgerCount().catch(() => 0)) >= COUNT);
    expect(await reader.faults(ids)).toEqual([]);
    const [status] = await reader.transport.inspect();
    expect(status!.subscriptions).toEqual([{ service: "reader", backlog: 0 }]);
  });

  test("of 3000 messages none is lost or handled twice while every connection is reset again and again, and the server freezes", async () => {
    await using server = await ownBroker("postgres");
    const way = await server.proxy();
    await using sender = new World("sender", { url: way.url, schema: "app" });
    await using reader = new World("reader", { url: way.url, schema: "app" });
    await sender.open();
    await reader.open();
    await reader.consume();
    const ids = Array.from({ length: 3000 }, (_, at) => `m-${String(at).padStart(6, "0")}`);
    const sending = sendAll(sender, ids);
    for (let share = 0.1; share < 0.9; share += 0.1) {
      await until(() => reader.handled >= ids.length * share);
      way.reset();
    }
    await server.freeze();
    await sleep(3000); // what is waited for is the silence itself
    await server.thaw();
    expect((await sending).filter((code) => code !== undefined)).toEqual([]);
    await until(async () => (await reader.ledgerCount().catch(() => 0)) >= ids.length);
    expect(await reader.faults(ids)).toEqual([]);
    await way.close();
  });

  test("a send while it is away keeps to its deadline, and says whether the message may be there", async () => {
    await using server = await ownBroker("postgres");
    await using world = new World("one", { url: server.url, schema: "app" });
    await world.open();
    await server.kill();
    const startedMs = performance.now();
    const sends = [randomUUID(), randomUUID()].map((id) => world.transport.send([world.message(id, "k")], { deadlineMs: 400 }));
    const codes = (await Promise.all(sends)).flat().map((outcome) => outcome?.code);
    expect(codes.every((code) => code === "PR_OUTCOME_UNKNOWN" || code === "PR_TRANSPORT_FAILED")).toBe(true);
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(390);
    await server.start();
    expect(await world.transport.send([world.message("later", "k")], { deadlineMs: 10_000 })).toEqual([undefined]);
  });
});

async function sendAll(world: World, ids: readonly string[]): Promise<(string | undefined)[]> {
  const codes: (string | undefined)[] = [];
  for (let from = 0; from < ids.length; from += 100) {
    const batch = ids.slice(from, from + 100).map((id, at) => world.message(id, `k-${(from + at) % KEYS}`));
    const outcomes = await Promise.all(batch.map((message) => world.transport.send([message], { deadlineMs: 60_000 })));
    codes.push(...outcomes.flat().map((outcome) => outcome?.code));
  }
  return codes;
}
