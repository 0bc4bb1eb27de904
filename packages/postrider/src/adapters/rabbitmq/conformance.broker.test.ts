import { describe, test } from "vitest";
import type { Headers, WireBody } from "../../envelope/envelope.ts";
import { systemClock } from "../../base/clock.ts";
import { transportConformance } from "../../testing/transport-conformance.ts";
import type { TransportFixture } from "../../testing/transport-environment.ts";
import { benchBroker, plainClient, testTransport, virtualHost } from "./broker.test-support.ts";
import { rabbitTransport } from "./declared.test-support.ts";
import type { RabbitTransport } from "./transport.ts";

const broker = benchBroker();

async function create(): Promise<TransportFixture> {
  const host = await virtualHost(broker.url, broker.managementUrl);
  let transports: RabbitTransport[] = [];
  return {
    connect: () => {
      const transport = testTransport(host.url);
      transports.push(transport);
      return { transport };
    },
    pass: (ms) => systemClock.sleep(ms),
    crash: () => {
      for (const transport of transports) transport.abandon();
      transports = [];
      return Promise.resolve();
    },
    plant: (destination, message) => plant(host.url, destination, message),
    close: () => host.remove(),
  };
}

async function plant(
  url: string,
  destination: string,
  { headers, body }: { readonly headers: Headers; readonly body: WireBody },
): Promise<void> {
  const { connection } = await plainClient(url);
  const channel = await connection.createConfirmChannel();
  channel.publish(destination, String(headers["event-type"] ?? ""), Buffer.from(body as string), { headers: { ...headers } });
  await channel.waitForConfirms();
  await connection.close();
}

// Where there is no broker the bench prints why, before any test.
describe.skipIf(broker.missing !== undefined)("on a real broker", () => {
  transportConformance({ ...rabbitTransport, create, suite: { describe, test } });
});
