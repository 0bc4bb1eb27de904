import { Admin, Producer } from "@platformatic/kafka";
import { describe, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { uuidv7Ids } from "../../base/ids.ts";
import { kafka } from "../../presets/kafka.ts";
import { silentLogger } from "../../telemetry/json-logger.ts";
import { transportConformance } from "../../testing/transport-conformance.ts";
import type { TransportFixture } from "../../testing/transport-environment.ts";
import { benchKafka, brokersOf } from "./broker.test-support.ts";
import { kafkaTransport } from "./declared.test-support.ts";

const MIB = 1024 * 1024;
const broker = benchKafka();
const ids = uuidv7Ids(systemClock);

function create(): Promise<TransportFixture> {
  const brokers = brokersOf(broker);
  const prefix = `t${ids.next().replaceAll("-", "").slice(8)}.`;
  return Promise.resolve({
    prefix,
    connect: () => ({
      transport: kafka({
        brokers,
        maxMessageBytes: 2 * MIB,
        heartbeatMs: 200,
        sessionMs: 10_000,
        revokeMs: 2000,
        commitIntervalMs: 200,
        replyTopic: `${prefix}replies`,
        logger: silentLogger,
      }),
    }),
    pass: (ms) => systemClock.sleep(ms),
    plant: async (topic, { headers, body }) => {
      const producer = new Producer({ clientId: "planter", bootstrapBrokers: brokers });
      const written = new Map(Object.entries(headers).map(([name, value]) => [Buffer.from(name), Buffer.from(value as string)]));
      await producer.send({ acks: -1, messages: [{ topic, value: Buffer.from(body as string), headers: written }] });
      await producer.close();
    },
    close: async () => {
      const admin = new Admin({ clientId: "cleaner", bootstrapBrokers: brokers });
      const topics = (await admin.listTopics()).filter((name) => name.startsWith(prefix));
      if (topics.length > 0) await admin.deleteTopics({ topics });
      await admin.close();
    },
  });
}

// Without a broker there is nothing to check: the name says why there is none.
describe.skipIf(broker.missing !== undefined)(`kafka${broker.missing === undefined ? "" : ` (skipped: ${broker.missing})`}`, () => {
  transportConformance({ ...kafkaTransport, create, suite: { describe, test } });
});
