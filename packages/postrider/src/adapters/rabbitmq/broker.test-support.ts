import { connect } from "amqplib";
import type { Channel, ChannelModel } from "amqplib";
import { inject } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { uuidv7Ids } from "../../base/ids.ts";
import { systemRandom } from "../../base/random.ts";
import { silentLogger } from "../../telemetry/json-logger.ts";
import { RabbitTransport } from "./transport.ts";
import type { RabbitTransportOptions } from "./transport.ts";

interface Address {
  readonly url: string;
  readonly managementUrl: string;
  readonly missing?: string;
}

/** The bench's broker, or why there is none. */
export function benchBroker(): Address {
  return (inject as (name: string) => { readonly rabbitmq: Address })("brokers").rabbitmq;
}

/** The largest body in the tests. */
const BODY_LIMIT = 2 * 1024 * 1024;

/** A transport with short times, quiet about what the tests do to it. */
export function testTransport(url: string, change: Partial<RabbitTransportOptions> = {}): RabbitTransport {
  return new RabbitTransport({
    connection: { urls: [url], clientName: "postrider test", heartbeatSeconds: 2, connectTimeoutMs: 2000 },
    limits: { windowCount: 1000, windowBytes: 16 * 1024 * 1024, maxWaitingBytes: 64 * 1024 * 1024 },
    existing: new Map(),
    maxBodyBytes: BODY_LIMIT,
    revokeMs: 1000,
    rebalanceMs: 100,
    batonRefreshMs: 60_000,
    clock: systemClock,
    random: systemRandom,
    ids: uuidv7Ids(systemClock),
    logger: silentLogger,
    ...change,
  });
}

let count = 0;

/** A virtual host of its own for one test. */
export async function virtualHost(url: string, managementUrl: string): Promise<{ readonly url: string; remove(): Promise<void> }> {
  const name = `test-${process.pid}-${++count}`;
  const ask = async (method: string): Promise<void> => {
    const { username, password, origin } = new URL(managementUrl);
    const headers = { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` };
    const answer = await fetch(`${origin}/api/vhosts/${name}`, { method, headers });
    if (!answer.ok) throw new Error(`${method} of a virtual host: ${answer.status}`);
  };
  await ask("PUT");
  const own = new URL(url);
  own.pathname = `/${name}`;
  return { url: own.href, remove: () => ask("DELETE") };
}

/** A plain client of the same broker: a connection and a channel. */
export async function plainClient(url: string): Promise<{ readonly connection: ChannelModel; readonly channel: Channel }> {
  const connection = await connect(url, { noDelay: true });
  connection.on("error", () => undefined);
  const channel = await connection.createChannel();
  channel.on("error", () => undefined);
  return { connection, channel };
}
