import { Admin, Consumer, Producer } from "@platformatic/kafka";
import { describe, expect, inject, test } from "vitest";
import { systemClock } from "../../packages/postrider/src/base/clock.ts";
import type { Delivery, Destination, Lane } from "../../packages/postrider/src/ports/transport.ts";
import { brokersOf, freshDestination, numbered, numberOf, openTransport, subscriptionTo, take, Taker, until } from "./harness.ts";

const { url, missing } = inject("brokers").kafka;
const TIMES = 8;

/** Keeps what it is given, and settles only some. */
class Picky extends Taker {
  readonly #settles: (at: number) => boolean;

  constructor(settles: (at: number) => boolean) {
    super("picky");
    this.#settles = settles;
  }

  override deliver(lane: Lane, batch: readonly Delivery[]): void {
    for (const delivery of batch) {
      const at = numberOf(delivery);
      this.taken.push({ at, key: "", lane: lane.number, epoch: lane.epoch, atMs: 0 });
      if (this.#settles(at)) void delivery.ack();
    }
  }
}

/** Writes transactions to partition 0: even ones are committed, odd ones aborted; each has several records, and more than one fetch brings. */
async function writeTransactions({ name }: Destination): Promise<void> {
  const producer = new Producer({ clientId: "writer", bootstrapBrokers: brokersOf(url!), idempotent: true, transactionalId: `tx.${name}` });
  for (let at = 0; at < TIMES; at++) {
    const transaction = await producer.beginTransaction();
    const messages = Array.from({ length: 4 }, () => ({
      topic: name,
      partition: 0,
      value: Buffer.from(JSON.stringify({ at, pad: "x".repeat(40_000) })),
    }));
    for (const message of messages) await transaction.send({ messages: [message] });
    if (at % 2 === 0) await transaction.commit();
    else await transaction.abort();
  }
  await producer.close();
}

// The reason stands in the name.
describe.skipIf(missing !== undefined)(`logs with a past${missing === undefined ? "" : ` (${missing})`}`, () => {
  test("aborted transactions are not handed over, however fetches cut them; committed ones all are, and no marker counts as backlog", async () => {
    const transport = await openTransport(url!, { maxPartitionBytes: 100_000, commitIntervalMs: 100 });
    const destination = freshDestination(1);
    await transport.apply({ destinations: [destination], subscriptions: [subscriptionTo(destination)] });
    await writeTransactions(destination);
    const bodies: number[] = [];
    const reader = new Taker("reader");
    reader.deliver = (_, batch) =>
      batch.forEach((delivery) => {
        bodies.push(numberOf(delivery));
        void delivery.ack();
      });
    const consumption = await transport.consume(subscriptionTo(destination), reader);
    await until(() => bodies.length >= (TIMES / 2) * 4, "the committed ones had come");
    await until(async () => (await consumption.inspect()).backlog === 0, "nothing was left");
    expect(bodies).toEqual([0, 2, 4, 6].flatMap((at) => [at, at, at, at]));
    const replayed: number[] = [];
    for await (const message of transport.read(destination.name, { from: "earliest" })) replayed.push(numberOf(message));
    expect(replayed).toEqual(bodies);
    await transport.close();
  });

  test("the client's own stream still hands aborted messages over; once it does not, our filter can go", async () => {
    const transport = await openTransport(url!);
    const destination = freshDestination(1);
    await transport.apply({ destinations: [destination], subscriptions: [] });
    await writeTransactions(destination);
    const consumer = new Consumer({
      clientId: "theirs",
      groupId: `theirs.${destination.name}`,
      bootstrapBrokers: brokersOf(url!),
      maxWaitTime: 200,
    });
    const stream = await consumer.consume({ topics: [destination.name], mode: "earliest", autocommit: false });
    const bodies: number[] = [];
    stream.on("data", ({ value }) => bodies.push((JSON.parse(String(value)) as { at: number }).at));
    await until(() => bodies.filter((at) => at % 2 === 0).length >= (TIMES / 2) * 4, "the committed ones had come");
    expect(bodies.filter((at) => at % 2 === 1).length).toBeGreaterThan(0);
    await stream.close();
    await consumer.close(true);
    await transport.close();
  });

  test("what is finished behind one that is not does not come again after a restart", async () => {
    const transport = await openTransport(url!, { commitIntervalMs: 100 });
    const destination = freshDestination(1);
    const subscription = subscriptionTo(destination);
    await transport.apply({ destinations: [destination], subscriptions: [subscription] });
    const messages = Array.from({ length: 200 }, (_, at) => numbered(destination, at, 20));
    expect(await transport.send(messages, { deadlineMs: 10_000 })).toEqual(messages.map(() => undefined));
    const picky = new Picky((at) => at !== 3 && at !== 77);
    picky.consumption = await transport.consume(subscription, picky);
    await until(() => picky.taken.length === 200, "all had come");
    await picky.consumption.close();
    const next = await take(transport, subscription);
    await until(() => next.taken.length >= 2, "the two had come again");
    await systemClock.sleep(200); // what must not come gets its chance
    expect(next.taken.map(({ at }) => at)).toEqual([3, 77]);
    await transport.close();
  });

  test("what retention deleted unread is reported, and reading goes on where there is something", async () => {
    const transport = await openTransport(url!);
    const destination = freshDestination(1);
    const subscription = subscriptionTo(destination);
    await transport.apply({ destinations: [destination], subscriptions: [subscription] });
    const messages = Array.from({ length: 20 }, (_, at) => numbered(destination, at, 3));
    await transport.send(messages, { deadlineMs: 10_000 });
    const admin = new Admin({ clientId: "cleaner", bootstrapBrokers: brokersOf(url!) });
    await admin.deleteRecords({ topics: [{ name: destination.name, partitions: [{ partition: 0, offset: 12n }] }] });
    await admin.close();
    const taker = await take(transport, subscription);
    await until(() => taker.taken.length === 8, "the rest had come");
    expect(taker.taken.map(({ at }) => at)).toEqual([12, 13, 14, 15, 16, 17, 18, 19]);
    expect(taker.errors.map(({ message }) => message)).toEqual([expect.stringContaining("deleted offsets 0 to 11")]);
    await transport.close();
  });

  test("declared settings are diffed and applied; partitions are not changed, and the plan says why", async () => {
    const destination = freshDestination(2);
    const topology = { destinations: [destination], subscriptions: [] };
    const plain = await openTransport(url!);
    await plain.apply(topology);
    const declared = await openTransport(url!, { topics: { [destination.name]: { retentionMs: 60_000, cleanupPolicy: "compact" } } });
    const [change] = (await declared.plan(topology)).changes;
    expect(change).toMatchObject({ action: "change", thing: destination.name, detail: expect.stringContaining("retention.ms") as string });
    await declared.apply(topology);
    expect((await declared.plan(topology)).changes).toEqual([]);
    const [partitions] = (await declared.plan({ ...topology, destinations: [{ ...destination, lanes: 3 }] })).changes;
    expect(partitions!.detail).toContain("overtake");
    const { partitionkey: _, ...keyless } = numbered(destination, 0, 1).envelope;
    const [refused] = await declared.send([{ ...numbered(destination, 0, 1), envelope: keyless }], { deadlineMs: 10_000 });
    expect(refused).toMatchObject({ code: "PR_SEND_INVALID", retryable: false });
    await plain.close();
    await declared.close();
  });

  test.for(["gzip", "snappy", "lz4", "zstd"] as const)("messages compressed with %s come as they were sent", async (compression) => {
    const transport = await openTransport(url!, { compression });
    const destination = freshDestination(2);
    const subscription = subscriptionTo(destination);
    await transport.apply({ destinations: [destination], subscriptions: [subscription] });
    const taker = await take(transport, subscription);
    const messages = Array.from({ length: 500 }, (_, at) => numbered(destination, at, 10));
    expect(await transport.send(messages, { deadlineMs: 10_000 })).toEqual(messages.map(() => undefined));
    await until(() => taker.taken.length === 500, "all had come");
    await transport.close();
  });

  test("a static member that restarts within its session finds its partitions where they were; the client's own way would move them", async () => {
    const destination = freshDestination(2);
    const subscription = subscriptionTo(destination);
    const options = { instanceId: "pod-1", sessionMs: 10_000, revokeMs: 2000 };
    const generations: number[] = [];
    for (let round = 0; round < 3; round++) {
      const transport = await openTransport(url!, options);
      await transport.apply({ destinations: [destination], subscriptions: [subscription] });
      const taker = await take(transport, subscription);
      await until(() => taker.lanes.size === 2, "it had its lanes");
      generations.push(Math.floor(taker.lanes.get(0)!.epoch / 4096));
      await transport.send([numbered(destination, round, 1)], { deadlineMs: 10_000 });
      await until(() => taker.taken.length === 1, "it had its message");
      await transport.close();
    }
    expect(new Set(generations).size).toBe(1);
    const theirs: number[] = [];
    for (let round = 0; round < 2; round++) {
      const consumer = new Consumer({
        clientId: "static",
        groupId: `static.${destination.name}`,
        groupInstanceId: "pod-1",
        bootstrapBrokers: brokersOf(url!),
      });
      consumer.topics.track(destination.name);
      await consumer.joinGroup({});
      theirs.push(consumer.generationId);
      await consumer.close(true);
    }
    expect(new Set(theirs).size).toBe(2);
  });
});
