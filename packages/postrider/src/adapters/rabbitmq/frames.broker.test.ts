import { describe, expect, test } from "vitest";
import { benchBroker } from "./broker.test-support.ts";
import { takingDeliveries } from "./frame-intake.ts";
import { PublishFrames } from "./publish-frames.ts";
import { writerOn } from "./publish-writer.ts";
import { connectTo } from "./vendor.ts";

const broker = benchBroker();

// Where there is no broker the bench prints why, before any test.
describe.skipIf(broker.missing !== undefined)("frames of our own", () => {
  test("the client shows what they need: without it everything works, and takes twice the time", async () => {
    const settings = { urls: [broker.url], clientName: "postrider test", heartbeatSeconds: 2, connectTimeoutMs: 2000 };
    const connection = takingDeliveries(await connectTo(settings, "test", 0));
    expect(Object.keys(connection.connection)).toContain("recvFrame");
    expect(writerOn(await connection.createConfirmChannel())).toBeInstanceOf(PublishFrames);
    await connection.close();
  });
});
