import { describe, expect, test } from "vitest";
import { benchBroker } from "./broker.test-support.ts";
import { takingDeliveries } from "./frame-intake.ts";
import { PublishFrames } from "./publish-frames.ts";
import { writerOn } from "./publish-writer.ts";
import { connectTo } from "./vendor.ts";
import type { AmqpConfirmChannel, AmqpConnection } from "./vendor.ts";

const broker = benchBroker();
const connected = (): Promise<AmqpConnection> =>
  connectTo({ urls: [broker.url], clientName: "postrider test", heartbeatSeconds: 2, connectTimeoutMs: 2000 }, "test", 0);

// Where there is no broker the bench prints why, before any test.
describe.skipIf(broker.missing !== undefined)("frames of our own", () => {
  test("the client shows what they need: without it everything works, and takes twice the time", async () => {
    const connection = takingDeliveries(await connected());
    expect(Object.keys(connection.connection)).toContain("recvFrame");
    expect(writerOn(await connection.createConfirmChannel())).toBeInstanceOf(PublishFrames);
    await connection.close();
  });

  test("where the client shows nothing, its own are used: a publish is confirmed and comes", async () => {
    const connection = await connected();
    const inner = { recvFrame: () => undefined };
    const { recvFrame } = inner;
    takingDeliveries({ connection: inner } as unknown as AmqpConnection);
    expect(inner.recvFrame).toBe(recvFrame);

    const channel = await connection.createConfirmChannel();
    const writer = writerOn(closedIn(channel));
    expect(writer).not.toBeInstanceOf(PublishFrames);
    const { queue } = await channel.assertQueue(`frames-${process.pid}`, { autoDelete: true });
    const [confirmed, came] = [Promise.withResolvers<void>(), Promise.withResolvers<string>()];
    channel.on("ack", () => confirmed.resolve());
    await channel.consume(queue, (message) => came.resolve(`${String(message?.properties.messageId)}: ${String(message?.content)}`));
    const options = { messageId: "m-1" };
    writer.add({ exchange: "", routingKey: queue, contract: "a.b", destination: "a.events", content: Buffer.from("one"), options });
    writer.flush();
    await confirmed.promise;
    expect(await came.promise).toBe("m-1: one");
    await connection.close();
  });
});

/** A channel that shows nothing of what is below it. */
function closedIn(channel: AmqpConfirmChannel): AmqpConfirmChannel {
  return new Proxy(channel, {
    get: (target, name) => {
      if (name === "connection" || name === "ch") return undefined;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
