import { connect } from "amqplib";
import { describe, expect, test } from "vitest";
import type { StandardSchema } from "../../packages/postrider/src/contracts/standard-schema.ts";
import { command, createBus, service } from "../../packages/postrider/src/index.ts";
import type { Bus } from "../../packages/postrider/src/index.ts";
import { rabbitmq } from "../../packages/postrider/src/presets/rabbitmq.ts";
import { missingOwn, ownBroker } from "../brokers/own.ts";
import { control, controlTool } from "./control.ts";
import { SILENT, until } from "./harness.ts";

const Anything: StandardSchema<{ readonly id: string }, { readonly id: string }> = {
  "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: value as { id: string } }) },
};
const Place = command("order.place", { schema: Anything, key: ({ id }) => id });
const BASE = "order.commands";
const LANES = 2;
const missing = missingOwn("rabbitmq");
const noTool = missing ?? (controlTool() === undefined ? "rabbitmqctl is not where Debian puts it" : undefined);

// The reason stands in the name.
describe.skipIf(noTool !== undefined)(`health on RabbitMQ${noTool === undefined ? "" : ` (${noTool})`}`, () => {
  test("a broker that takes no messages makes it red with the broker's own word, until it takes them again", async () => {
    await using broker = await ownBroker("rabbitmq");
    const handled: string[] = [];
    await using app = await busOn(broker.url, (id) => void handled.push(id));
    expect((await app.health()).isReady).toBe(true);
    await control(broker.managementUrl!, "set_vm_memory_high_watermark", "absolute", "1MB");
    // The broker tells a connection that it is blocked when that sends something.
    const sends = [app.as("ordering").send(Place, { id: "a" })];
    await until(async () => (await app.health()).reason !== undefined, "health said why");
    expect(await app.health()).toMatchObject({
      isReady: false,
      state: "running",
      reason: expect.stringMatching(/rabbitmq.*low on memory/) as string,
    });
    sends.push(app.as("ordering").send(Place, { id: "b" }));
    await control(broker.managementUrl!, "set_vm_memory_high_watermark", "0.6");
    await Promise.all(sends);
    await until(async () => (await app.health()).isReady, "it is well again");
    await until(() => handled.length === 2, "both were handled");
  });

  test("a lane with messages that nobody reads makes it red, and a reader of it green", async () => {
    await using broker = await ownBroker("rabbitmq");
    const handled: string[] = [];
    const first = await busOn(broker.url, () => undefined);
    await first.stop(); // its queues stay
    const connection = await connect(broker.url);
    const channel = await connection.createConfirmChannel();
    // The first in line for a lane's baton gets it. This one never reads the lane's messages.
    await channel.consume(`${BASE}.0.high`, () => undefined);
    await using app = await busOn(broker.url, (id) => void handled.push(id), { stuckAfterMs: 1000 });
    await until(async () => (await app.health()).subscriptions[0]?.lanes === LANES - 1, "it has the other lane");
    expect((await app.health()).isReady).toBe(true);
    const ids = Array.from({ length: 20 }, (_, at) => `${at}`);
    await Promise.all(ids.map((id) => app.as("ordering").send(Place, { id })));
    await until(async () => (await app.health()).subscriptions[0]!.state === "stuck", "it is red");
    expect([(await app.health()).isReady, handled.length < ids.length]).toEqual([false, true]);
    await channel.close(); // the baton goes to the next in line
    await until(async () => (await app.health()).isReady, "it is green");
    await until(() => handled.length === ids.length, "all were handled");
    await connection.close();
  });
});

async function busOn(url: string, onHandled: (id: string) => void, change: { readonly stuckAfterMs?: number } = {}): Promise<Bus> {
  const transport = rabbitmq({ url, heartbeatSeconds: 2, rebalanceMs: 200, logger: SILENT });
  const services = [service("ordering", (on) => on(Place, ({ id }) => onHandled(id)))];
  const bus = createBus({ services, commands: transport, events: transport, store: "none", lanes: LANES, logger: SILENT, ...change });
  await bus.start();
  return bus;
}
