import { describe, expect, inject, test } from "vitest";
import { headerIdentity } from "../../packages/postrider/src/envelope/foreign-mappings.ts";
import { partitionOf } from "../../packages/postrider/src/adapters/kafka/murmur2.ts";
import type { Delivery, Destination, Lane, Transport } from "../../packages/postrider/src/ports/transport.ts";
import { brokersOf, freshDestination, numbered, openTransport, subscriptionTo, Taker, until } from "./harness.ts";
import { inName, kcatMissing, runKcat, runSpring, springMissing } from "./peers.ts";

const { url } = inject("brokers").kafka;
const COUNT = 20;
const LANES = 3;

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

async function world(): Promise<{ transport: Transport; destination: Destination; keeper: Keeper }> {
  const transport = await openTransport(url!);
  const destination = freshDestination(LANES);
  const subscription = subscriptionTo(destination);
  await transport.apply({ destinations: [destination], subscriptions: [subscription] });
  const keeper = new Keeper("keeper");
  keeper.consumption = await transport.consume(subscription, keeper);
  return { transport, destination, keeper };
}

const noSpring = springMissing();
const noKcat = kcatMissing();

describe("services of others on the same topics", () => {
  // The reason stands in the name.
  test.skipIf(noSpring !== undefined)(
    `Spring's @KafkaListener reads ours and its own by one partitioner; ours reads its KafkaTemplate${inName(noSpring)}`,
    { timeout: 200_000 },
    async () => {
      const { transport, destination, keeper } = await world();
      const ours = Array.from({ length: COUNT }, (_, at) => numbered(destination, at, COUNT));
      expect(await transport.send(ours, { deadlineMs: 10_000 })).toEqual(ours.map(() => undefined));
      const output = await runSpring("SpringPeer", [brokersOf(url!)[0]!, destination.name, String(COUNT)]);
      const read = output
        .split("\n")
        .filter((line) => line.startsWith("read\t"))
        .map((line) => line.split("\t").slice(1) as [partition: string, key: string, value: string, type: string]);
      expect(
        read
          .filter(([, , , type]) => type === "test.numbered")
          .map(([, , value]) => value)
          .toSorted(),
      ).toEqual(ours.map(({ body }) => String(body)).toSorted());
      // Keys of both sides meet in one partition.
      for (const [partition, key] of read) expect(Number(partition)).toBe(partitionOf(Buffer.from(key), LANES));
      await until(() => keeper.deliveries.length === 2 * COUNT, "ours had both");
      const springs = keeper.deliveries.filter(({ envelope }) => envelope === undefined);
      const mapping = headerIdentity({ names: { key: ["kafka-key"] } });
      expect(springs.map((delivery) => mapping(delivery, undefined)).toSorted((a, b) => a!.id!.localeCompare(b!.id!))[0]).toMatchObject({
        type: "order.paid",
        version: 2,
        id: "spring-0",
        key: "key-0",
      });
      await transport.close();
    },
  );

  // The reason stands in the name.
  test.skipIf(noKcat !== undefined)(
    `kcat reads key, headers and body of ours, and ours what it writes, identity in the body too${inName(noKcat)}`,
    async () => {
      const { transport, destination, keeper } = await world();
      const [message] = [numbered(destination, 1, 1)];
      expect(await transport.send([message], { deadlineMs: 10_000 })).toEqual([undefined]);
      const broker = brokersOf(url!)[0]!;
      const shown = await runKcat(["-b", broker, "-C", "-t", destination.name, "-o", "beginning", "-e", "-q", "-f", "%k|%h|%s\n"]);
      expect(shown).toMatch(new RegExp(String.raw`^key-0\|.*ce_id=${message.envelope.id}.*\|\{"at":1\}$`, "m"));
      const body = '{"event_id":"k-1","event_type":"member.updated.v1","data":{"name":"값"}}';
      await runKcat(["-b", broker, "-P", "-t", destination.name, "-k", "m-1", "-H", "trace=t-1", "-z", "zstd"], body);
      await until(() => keeper.deliveries.length === 2, "it had come");
      const found = keeper.deliveries.find(({ envelope }) => envelope === undefined)!;
      expect(found).toMatchObject({ body, headers: { trace: "t-1", "kafka-key": "m-1" } });
      await transport.close();
    },
  );
});
