import { tmpdir } from "node:os";
import { CompressionTypes, Kafka, logLevel, Partitioners } from "kafkajs";
import { describe, expect, inject, test } from "vitest";
import { headerIdentity } from "../../packages/postrider/src/envelope/foreign-mappings.ts";
import { partitionOf } from "../../packages/postrider/src/adapters/kafka/murmur2.ts";
import type { Delivery, Destination, Lane, Transport } from "../../packages/postrider/src/ports/transport.ts";
import { program } from "../brokers/programs.ts";
import { kafkaJars } from "../brokers/recipes/kafka-jars.ts";
import { runToEnd } from "../brokers/run-to-end.ts";
import { brokersOf, freshDestination, numbered, openTransport, subscriptionTo, Taker, until } from "./harness.ts";

const { url, missing } = inject("brokers").kafka;
const java = program("java");

/** Keeps deliveries whole. */
class Keeper extends Taker {
  readonly deliveries: Delivery[] = [];

  override deliver(_: Lane, batch: readonly Delivery[]): void {
    for (const delivery of batch) {
      this.deliveries.push(delivery);
      void delivery.ack();
    }
  }
}

async function world(lanes: number): Promise<{ transport: Transport; destination: Destination; keep: () => Promise<Keeper> }> {
  const transport = await openTransport(url!);
  const destination = freshDestination(lanes);
  await transport.apply({ destinations: [destination], subscriptions: [subscriptionTo(destination)] });
  const keep = async (): Promise<Keeper> => {
    const keeper = new Keeper("keeper");
    keeper.consumption = await transport.consume(subscriptionTo(destination), keeper);
    return keeper;
  };
  return { transport, destination, keep };
}

function kafkajs(): Kafka {
  return new Kafka({ clientId: "kafkajs", brokers: brokersOf(url!), logLevel: logLevel.NOTHING });
}

/** Runs one of Kafka's tools to its end; `input` is what it reads. */
async function tool(main: string, args: readonly string[], input = ""): Promise<string> {
  const command = [
    java!,
    "-Xmx128m",
    "-XX:-UsePerfData",
    "-cp",
    `${await kafkaJars()}/*`,
    main,
    "--bootstrap-server",
    brokersOf(url!)[0]!,
    ...args,
  ];
  return runToEnd({
    file: "/bin/sh",
    args: ["-c", `printf '%s' "$INPUT" | "$@"`, "tool", ...command],
    cwd: tmpdir(),
    env: { INPUT: input },
  });
}

// The reason stands in the name.
describe.skipIf(missing !== undefined)(`others on the same topics${missing === undefined ? "" : ` (${missing})`}`, () => {
  test("what kafkajs writes, compressed and with identity in headers, is handed over byte for byte and can be read by a mapping", async () => {
    const { transport, destination, keep } = await world(3);
    const producer = kafkajs().producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    const headers = {
      "event-type": "member.updated.v1",
      "event-id": "m-1",
      "content-type": "application/json",
      raw: Buffer.from([0xff, 0]),
    };
    await producer.send({
      topic: destination.name,
      compression: CompressionTypes.GZIP,
      messages: [
        { key: "k", value: '{"name":"값"}', headers },
        { key: "k", value: null },
      ],
    });
    await producer.disconnect();
    const keeper = await keep();
    await until(() => keeper.deliveries.length === 2, "both had come");
    const [event, tombstone] = keeper.deliveries as [Delivery, Delivery];
    expect(event).toMatchObject({ envelope: undefined, body: '{"name":"값"}', mayRepeat: true });
    expect({ ...event.headers }).toEqual({ ...headers, raw: Uint8Array.of(0xff, 0), "kafka-key": "k" });
    const read = headerIdentity({ names: { key: ["kafka-key"] } })(event, undefined);
    expect(read).toMatchObject({ type: "member.updated", version: 1, id: "m-1", key: "k" });
    expect([tombstone.body, tombstone.headers["kafka-tombstone"]]).toEqual(["", "true"]);
    await transport.close();
  });

  test("kafkajs reads what we write: key, value, and CloudEvents headers; and finds each key where Java puts it", async () => {
    const { transport, destination } = await world(12);
    const messages = Array.from({ length: 300 }, (_, at) => numbered(destination, at, 300));
    expect(await transport.send(messages, { deadlineMs: 10_000 })).toEqual(messages.map(() => undefined));
    const consumer = kafkajs().consumer({ groupId: `kafkajs.${destination.name}` });
    await consumer.connect();
    await consumer.subscribe({ topic: destination.name, fromBeginning: true });
    const found: { key: string; partition: number; value: string; type: string }[] = [];
    await consumer.run({
      eachMessage: ({ partition, message }) => {
        found.push({ key: String(message.key), partition, value: String(message.value), type: String(message.headers!["ce_type"]) });
        return Promise.resolve();
      },
    });
    await until(() => found.length === 300, "kafkajs had everything");
    await consumer.disconnect();
    expect(new Set(found.map(({ value }) => value))).toEqual(new Set(messages.map(({ body }) => body)));
    expect(new Set(found.map(({ type }) => type))).toEqual(new Set(["test.numbered"]));
    const javas = Partitioners.JavaCompatiblePartitioner();
    const partitionMetadata = Array.from({ length: 12 }, (_, partitionId) => ({ partitionId, leader: 1 })) as never[];
    for (const { key, partition } of found) {
      expect(partition).toBe(partitionOf(Buffer.from(key), 12));
      expect(partition).toBe(javas({ topic: destination.name, partitionMetadata, message: { key, value: "" } }));
    }
    await transport.close();
  });

  // Kafka's own tools run on Java.
  test.skipIf(java === undefined)(
    `Kafka's console tools read ours, write for us, and see our lag${java === undefined ? " (no Java)" : ""}`,
    { timeout: 120_000 },
    async () => {
      const { transport, destination, keep } = await world(2);
      await tool(
        "org.apache.kafka.tools.ConsoleProducer",
        ["--topic", destination.name, "--reader-property", "parse.key=true", "--reader-property", "parse.headers=true"],
        "event-type:order.paid\tkey-1\tfrom the console\n",
      );
      const keeper = await keep();
      await until(() => keeper.deliveries.length === 1, "it had come");
      expect(keeper.deliveries[0]).toMatchObject({ body: "from the console", headers: { "event-type": "order.paid" } });
      await keeper.consumption!.close();
      const written = [numbered(destination, 1, 1), numbered(destination, 2, 1)];
      expect(await transport.send(written, { deadlineMs: 10_000 })).toEqual([undefined, undefined]);
      const shown = await tool("org.apache.kafka.tools.consumer.ConsoleConsumer", [
        "--topic",
        destination.name,
        "--from-beginning",
        "--max-messages",
        "3",
        "--timeout-ms",
        "20000",
        "--formatter-property",
        "print.key=true",
        "--formatter-property",
        "print.headers=true",
      ]);
      expect(shown).toContain(`ce_id:${written[0]!.envelope.id}`);
      expect(shown).toContain('key-0\t{"at":1}');
      const groups = await tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", [
        "--describe",
        "--group",
        `reader.${destination.name}`,
      ]);
      const lags = [...groups.matchAll(new RegExp(String.raw`^reader\.\S+\s+\S+\s+\d+\s+\d+\s+\d+\s+(\d+)`, "gm"))].map(([, lag]) =>
        Number(lag),
      );
      expect(lags.reduce((sum, lag) => sum + lag, 0)).toBe(2);
      await transport.close();
    },
  );
});
