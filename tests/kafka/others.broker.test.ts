import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { headerIdentity } from "../../packages/postrider/src/envelope/foreign-mappings.ts";
import { partitionOf } from "../../packages/postrider/src/adapters/kafka/murmur2.ts";
import type { Delivery, Destination, Lane, Transport } from "../../packages/postrider/src/ports/transport.ts";
import { program } from "../brokers/programs.ts";
import { type Artifact, hasMavenJars, mavenJars } from "../brokers/recipes/maven-jars.ts";
import { runToEnd } from "../brokers/run-to-end.ts";
import { brokersOf, freshDestination, numbered, openTransport, subscriptionTo, Taker, until } from "./harness.ts";

const { url, missing } = inject("brokers").kafka;
const java = program("java");
const javac = program("javac");
const kcat = program("kcat");
const COUNT = 20;
const LANES = 3;

const SPRING = "spring-kafka-4.1.1";
const ARTIFACTS: readonly Artifact[] = [
  ["org.springframework.kafka", "spring-kafka", "4.1.1"],
  ["org.slf4j", "slf4j-simple", "2.0.17"],
];
const PEER = join(import.meta.dirname, "spring", "SpringPeer.java");

/** Why there is no Spring here. */
function noSpring(): string | undefined {
  if (java === undefined || javac === undefined) return "a JDK of 17 or newer is not installed";
  return hasMavenJars(SPRING) || program("mvn") !== undefined ? undefined : "Maven, which fetches Spring, is not installed";
}

/** Why a test does not run; under `CI=true` everything must. */
function left(reason: string | undefined): string | undefined {
  if (reason !== undefined && missing === undefined && process.env["CI"] === "true") throw new Error(`CI needs it: ${reason}`);
  return missing ?? reason;
}

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

const springMissing = left(noSpring());
const kcatMissing = left(kcat === undefined ? "kcat is not installed (Debian: apt-get install kcat)" : undefined);

describe("services of others on the same topics", () => {
  // The reason stands in the name.
  test.skipIf(springMissing !== undefined)(
    `Spring's @KafkaListener reads ours and its own by one partitioner; ours reads its KafkaTemplate${reason(springMissing)}`,
    { timeout: 200_000 },
    async () => {
      const { transport, destination, keeper } = await world();
      const ours = Array.from({ length: COUNT }, (_, at) => numbered(destination, at, COUNT));
      expect(await transport.send(ours, { deadlineMs: 10_000 })).toEqual(ours.map(() => undefined));
      const jars = await mavenJars(SPRING, ARTIFACTS);
      const output = await runToEnd({
        file: java!,
        args: [
          "-Xmx128m",
          "-XX:-UsePerfData",
          "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
          "-cp",
          `${jars}/*`,
          PEER,
          brokersOf(url!)[0]!,
          destination.name,
          String(COUNT),
        ],
        cwd: tmpdir(),
      });
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
  test.skipIf(kcatMissing !== undefined)(
    `kcat reads key, headers and body of ours, and ours what it writes, identity in the body too${reason(kcatMissing)}`,
    async () => {
      const { transport, destination, keeper } = await world();
      const [message] = [numbered(destination, 1, 1)];
      expect(await transport.send([message], { deadlineMs: 10_000 })).toEqual([undefined]);
      const broker = brokersOf(url!)[0]!;
      const shown = await runToEnd({
        file: kcat!,
        args: ["-b", broker, "-C", "-t", destination.name, "-o", "beginning", "-e", "-q", "-f", "%k|%h|%s\n"],
        cwd: tmpdir(),
      });
      expect(shown).toMatch(new RegExp(String.raw`^key-0\|.*ce_id=${message.envelope.id}.*\|\{"at":1\}$`, "m"));
      const body = '{"event_id":"k-1","event_type":"member.updated.v1","data":{"name":"값"}}';
      await runToEnd({
        file: "/bin/sh",
        args: [
          "-c",
          `printf '%s' "$BODY" | "$@"`,
          "kcat",
          kcat!,
          "-b",
          broker,
          "-P",
          "-t",
          destination.name,
          "-k",
          "m-1",
          "-H",
          "trace=t-1",
          "-z",
          "zstd",
        ],
        cwd: tmpdir(),
        env: { BODY: body },
      });
      await until(() => keeper.deliveries.length === 2, "it had come");
      const found = keeper.deliveries.find(({ envelope }) => envelope === undefined)!;
      expect(found).toMatchObject({ body, headers: { trace: "t-1", "kafka-key": "m-1" } });
      await transport.close();
    },
  );
});

function reason(text: string | undefined): string {
  return text === undefined ? "" : ` (${text})`;
}
