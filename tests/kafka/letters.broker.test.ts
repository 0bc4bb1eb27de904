import { describe, expect, inject, test } from "vitest";
import { createBus } from "../../packages/postrider/src/bus/bus.ts";
import type { Bus, BusOptions } from "../../packages/postrider/src/bus/api.ts";
import { event } from "../../packages/postrider/src/contracts/contract.ts";
import type { StandardSchema } from "../../packages/postrider/src/contracts/standard-schema.ts";
import { headerIdentity } from "../../packages/postrider/src/envelope/foreign-mappings.ts";
import { service } from "../../packages/postrider/src/pipeline/service.ts";
import type { Service } from "../../packages/postrider/src/pipeline/service.ts";
import type { ReadMessage, Transport } from "../../packages/postrider/src/ports/transport.ts";
import { kafka } from "../../packages/postrider/src/presets/kafka.ts";
import type { KafkaOptions } from "../../packages/postrider/src/presets/kafka.ts";
import { memory } from "../../packages/postrider/src/presets/memory.ts";
import { silentLogger } from "../../packages/postrider/src/telemetry/json-logger.ts";
import { brokersOf, freshDestination, openTransport, until } from "./harness.ts";
import { inName, kcatMissing, runKcat, runSpring, springMissing } from "./peers.ts";

const { url, missing } = inject("brokers").kafka;
const noSpring = springMissing();
const noKcat = kcatMissing();

interface Order {
  readonly orderId: string;
}

const schema: StandardSchema<Order, Order> = {
  "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: value as Order }) },
};

class NoStock extends Error {
  readonly code = "NO_STOCK";
}

function placedIn(context: string) {
  return event(`${context}.placed`, { schema, key: (order) => order.orderId });
}

/** A service that gives up everything, after retries by way of the store. */
function failing(on: ReturnType<typeof placedIn>, options: Parameters<typeof service>[2] = {}): Service {
  const retry = { immediate: 0, delayed: 1, backoff: { firstMs: 1, factor: 1, maxMs: 1, jitter: 0 } };
  const give = (): never => {
    throw new NoStock("no stock");
  };
  return service("mailing", (handle) => handle(on, give), { retry, ...options });
}

function busOf(services: readonly Service[], form: KafkaOptions["deadLetterTopics"], options: Partial<BusOptions> = {}): Bus {
  const transport = kafka({ brokers: brokersOf(url!), logger: silentLogger, ...(form && { deadLetterTopics: form }) });
  return createBus({ services, commands: transport, events: transport, store: memory().store, lanes: 3, logger: silentLogger, ...options });
}

const fresh = (): string => freshDestination(1).name.replace(".events", "");

async function allOf(transport: Transport, topic: string): Promise<ReadMessage[]> {
  const found: ReadMessage[] = [];
  for await (const message of transport.read(topic, { from: "earliest" })) found.push(message);
  return found;
}

/** What a topic has, once there are so many. */
async function written(transport: Transport, topic: string, count: number): Promise<ReadMessage[]> {
  let found: ReadMessage[] = [];
  await until(async () => {
    found = await allOf(transport, topic);
    return found.length >= count;
  }, `${topic} had ${count}`);
  return found;
}

// The reason stands in the name.
describe.skipIf(missing !== undefined)(`dead letters beside their topic${inName(missing)}`, () => {
  test("a message given up after retries is in the store and, with its key, value and headers, in the topic's .dlq", async () => {
    const context = fresh();
    const Placed = placedIn(context);
    await using bus = busOf([failing(Placed)], "dlq");
    await bus.start();
    await bus.as("mailing").publish(Placed, { orderId: "o-값" }, { headers: { "x-shop": "서울" } });
    const reader = await openTransport(url!);
    const [original] = await written(reader, `${context}.events`, 1);
    const [copy] = await written(reader, `${context}.events.dlq`, 1);
    const [letter] = await bus.operations.deadLetters({}, { limit: 10 });
    expect(letter).toMatchObject({ code: "NO_STOCK", attempts: 2, messageId: original!.envelope!.id });
    expect(copy).toMatchObject({ lane: original!.lane, body: original!.body, envelope: original!.envelope });
    expect(copy!.headers).toEqual({
      "x-shop": "서울",
      "postrider-failed-service": "mailing",
      "postrider-failed-destination": `${context}.events`,
      "postrider-failure-list": "failed",
      "postrider-failure-code": "NO_STOCK",
      "postrider-failure-reason": "no stock",
      "postrider-failure-attempts": "2",
      "postrider-failed-at": new Date(letter!.at).toISOString(),
      "postrider-failed-partition": String(original!.lane),
      "postrider-failed-offset": String(original!.position - 1),
    });
    await reader.close();
  });

  test("without a store the copy is the letter: it is there before the message is settled", async () => {
    const context = fresh();
    const Placed = placedIn(context);
    const options = { retry: { immediate: 0, delayed: 0, backoff: { firstMs: 1, factor: 1, maxMs: 1, jitter: 0 } } };
    await using bus = busOf([failing(Placed, options)], "dlq", { store: "none" });
    await bus.start();
    await bus.as("mailing").publish(Placed, { orderId: "o-1" });
    const reader = await openTransport(url!);
    const [copy] = await written(reader, `${context}.events.dlq`, 1);
    expect(copy!.headers).toMatchObject({ "postrider-failure-code": "NO_STOCK", "postrider-failed-service": "mailing" });
    expect(await allOf(reader, "mailing.dead-letters")).toEqual([]);
    await reader.close();
  });

  // The reason stands in the name.
  test.skipIf(noKcat !== undefined)(
    `kcat sees a foreign message's copy as it was: key, value, headers, partition, and none of ours but the reason${inName(noKcat)}`,
    async () => {
      const context = fresh();
      const Placed = placedIn(context);
      const mapping = headerIdentity({ names: { key: ["kafka-key"], type: ["event-type"], id: ["event-id"] } });
      await using bus = busOf([failing(Placed, { foreign: { [`${context}.events`]: mapping } })], "dlq");
      await bus.start();
      const broker = brokersOf(url!)[0]!;
      const headersOf = (id: string): string[] => ["-H", `event-type=${context}.placed`, "-H", `event-id=${id}`];
      // A partition that the key's hash does not name for sure: the copy goes to that of the original, not to that of the key.
      for (const partition of ["0", "1", "2"])
        await runKcat(
          ["-b", broker, "-P", "-t", `${context}.events`, "-p", partition, "-k", `k-${partition}`, ...headersOf(`f-${partition}`)],
          '{"orderId":"o-1"}',
        );
      const reader = await openTransport(url!);
      await written(reader, `${context}.events.dlq`, 3);
      const shown = await runKcat(["-b", broker, "-C", "-t", `${context}.events.dlq`, "-e", "-q", "-f", "%p|%k|%s|%h\n"]);
      for (const partition of ["0", "1", "2"])
        expect(shown).toMatch(
          new RegExp(
            String.raw`^${partition}\|k-${partition}\|\{"orderId":"o-1"\}\|event-type=${context}\.placed,event-id=f-${partition},postrider-failed-service=mailing,`,
            "m",
          ),
        );
      expect(shown).not.toMatch(/ce_|kafka-|pr-/);
      await reader.close();
    },
  );

  // The reason stands in the name.
  test.skipIf(noSpring !== undefined)(
    `Spring's readers of -dlt take ours like its own: the same headers, byte for byte where both say the same${inName(noSpring)}`,
    { timeout: 200_000 },
    async () => {
      const context = fresh();
      const Placed = placedIn(context);
      await using bus = busOf([failing(Placed)], "spring");
      await bus.start();
      await bus.as("mailing").publish(Placed, { orderId: "o-1" });
      const topic = `${context}.events`;
      const output = await runSpring("SpringLetters", [brokersOf(url!)[0]!, topic, "2"]);
      const rows = output.split("\n").map((line) => line.split("\t"));
      const of = (group: string): Seen => ({
        letter: rows.find(([kind, by]) => kind === "letter" && by === group)!.slice(2),
        headers: new Map(rows.filter(([kind, by]) => kind === "header" && by === group).map(([, , name, hex]) => [name!, hex!])),
      });
      const ours = of(`mailing.${topic}`);
      const springs = of(`spring.${topic}`);
      expect(ours.letter.slice(0, -2)).toEqual(springs.letter.slice(0, -2));
      expect(ours.letter.slice(-2)).toEqual(["NO_STOCK", "no stock"]);
      expect([...ours.headers.keys()].toSorted()).toEqual([...springs.headers.keys()].toSorted());
      const original = ({ headers }: Seen): ReadonlyMap<string, string> =>
        new Map([...headers].filter(([name]) => name.startsWith("kafka_dlt-original-") && !name.endsWith("consumer-group")));
      expect(original(ours)).toEqual(original(springs));
    },
  );
});

interface Seen {
  readonly letter: readonly string[];
  readonly headers: ReadonlyMap<string, string>;
}
