import {
  Admin,
  Consumer,
  MessagesStreamFallbackModes,
  MessagesStreamModes,
  Producer,
  stringDeserializers,
  stringSerializers,
  type Message,
  type MessagesStream,
} from "@platformatic/kafka";
import { numberOf, orders, type Order } from "../../order.ts";
import { COMMIT_MS, freshName, MAX_PARTITION_BYTES, PARTITIONS, type KafkaPeer } from "./peer.ts";

const MAX_MERGED = 500;
const MAX_REQUESTS = 5;
const FILL_GROUP = 500;
const REPLY_KEY = "reply";
const RETRYING = { retries: true, retryDelay: 250 } as const;

type Text = Message<string, string, string, string>;
type Sending = { readonly key: string; readonly value: string; readonly headers?: Record<string, string> };
type Waiting = { readonly message: Sending; readonly resolve: () => void; readonly reject: (error: unknown) => void };

/** A stable partitioner that costs nothing to speak of: the client's own works on BigInt. */
function partitioner({ key }: { readonly key?: string }): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < (key?.length ?? 0); at++) hash = Math.imul(hash ^ key!.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % PARTITIONS;
}

/** Merges the single sends of one turn of the event loop into one request, as one would write it on the client by hand. */
export class MergingProducer {
  readonly #topic: string;
  readonly #producer: Producer<string, string, string, string>;
  #waiting: Waiting[] = [];
  #requests = 0;
  #isScheduled = false;

  constructor(brokers: string[], topic: string) {
    this.#topic = topic;
    this.#producer = new Producer({
      clientId: "raw",
      bootstrapBrokers: brokers,
      serializers: stringSerializers,
      idempotent: true,
      partitioner,
      ...RETRYING,
    });
  }

  send(message: Sending): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ message, resolve, reject });
      this.#schedule();
    });
  }

  close(): Promise<void> {
    return this.#producer.close();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      while (this.#waiting.length > 0 && this.#requests < MAX_REQUESTS) void this.#request(this.#waiting.splice(0, MAX_MERGED));
    });
  }

  async #request(merged: readonly Waiting[]): Promise<void> {
    this.#requests++;
    try {
      await this.#producer.send({ messages: merged.map(({ message }) => ({ topic: this.#topic, ...message })) });
      for (const { resolve } of merged) resolve();
    } catch (error) {
      for (const { reject } of merged) reject(error);
    }
    this.#requests--;
    if (this.#waiting.length > 0) this.#schedule();
  }
}

/** Makes a topic. */
export async function createTopic(brokers: string[], topic: string, partitions = PARTITIONS): Promise<void> {
  const admin = new Admin({ clientId: "raw", bootstrapBrokers: brokers, ...RETRYING });
  await admin.createTopics({ topics: [topic], partitions, replicas: 1 });
  await admin.close();
}

/** Writes a backlog of orders, in large requests. */
export async function fillTopic(brokers: string[], topic: string, messages: number): Promise<void> {
  const [producer, order] = [new MergingProducer(brokers, topic), orders()];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < messages) {
      const body = order(next++);
      await producer.send({ key: body.orderId, value: JSON.stringify(body) });
    }
  };
  await Promise.all(Array.from({ length: FILL_GROUP * MAX_REQUESTS }, lane));
  await producer.close();
}

/** `@platformatic/kafka` as one would use it by hand: sends of one turn merged, handling as messages come, progress committed on a timer. No schema, no retries, no order in face of failures. */
export class RawKafka implements KafkaPeer {
  readonly #brokers: string[];
  readonly #topic = freshName("raw");
  readonly #replies = freshName("rawreplies");
  readonly #order = orders();
  readonly #closers: (() => Promise<unknown>)[] = [];
  #responder: MergingProducer | undefined;

  constructor(url: string) {
    this.#brokers = [new URL(url).host];
  }

  async prepare(): Promise<void> {
    await createTopic(this.#brokers, this.#topic);
    await createTopic(this.#brokers, this.#replies);
  }

  openSender(): Promise<(n: number) => Promise<unknown>> {
    const producer = this.#open(this.#topic);
    return Promise.resolve((n: number) => {
      const order = this.#order(n);
      return producer.send({ key: order.orderId, value: JSON.stringify(order) });
    });
  }

  openReader(onHandled: (n: number) => void): Promise<void> {
    return this.#read(this.#topic, ({ value, headers }) => {
      const order = JSON.parse(value) as Order;
      onHandled(numberOf(order));
      const asked = headers.get(REPLY_KEY);
      if (asked !== undefined) void this.#responder!.send({ key: asked, value: JSON.stringify({ orderId: order.orderId }) });
    });
  }

  async openRequester(): Promise<(n: number) => Promise<unknown>> {
    const waiting = new Map<string, () => void>();
    this.#responder = this.#open(this.#replies);
    const producer = this.#open(this.#topic);
    await this.#read(this.#replies, ({ key, value }) => {
      JSON.parse(value);
      waiting.get(key)?.();
      waiting.delete(key);
    });
    return (n) => {
      const [order, id] = [this.#order(n), String(n)];
      const answered = new Promise<void>((resolve) => waiting.set(id, resolve));
      return producer.send({ key: order.orderId, value: JSON.stringify(order), headers: { [REPLY_KEY]: id } }).then(() => answered);
    };
  }

  fill(messages: number): Promise<void> {
    return fillTopic(this.#brokers, this.#topic, messages);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closers.toReversed()) await close();
  }

  #open(topic: string): MergingProducer {
    const producer = new MergingProducer(this.#brokers, topic);
    this.#closers.push(() => producer.close());
    return producer;
  }

  async #read(topic: string, handle: (message: Text) => void): Promise<void> {
    const consumer = new Consumer({
      clientId: "raw",
      groupId: `group.${topic}`,
      bootstrapBrokers: this.#brokers,
      deserializers: stringDeserializers,
      autocommit: false,
      maxBytesPerPartition: MAX_PARTITION_BYTES,
      maxWaitTime: 500,
      ...RETRYING,
    });
    const stream: MessagesStream<string, string, string, string> = await consumer.consume({
      topics: [topic],
      mode: MessagesStreamModes.COMMITTED,
      fallbackMode: MessagesStreamFallbackModes.EARLIEST,
    });
    const handled = new Map<number, bigint>();
    stream.on("error", () => {});
    stream.on("data", (message: Text) => {
      handle(message);
      handled.set(message.partition, message.offset);
    });
    const commit = async (): Promise<void> => {
      const offsets = [...handled].map(([partition, offset]) => ({ topic, partition, offset: offset + 1n, leaderEpoch: 0 }));
      handled.clear();
      if (offsets.length > 0) await consumer.commit({ offsets }).catch(() => {});
    };
    const timer = setInterval(() => void commit(), COMMIT_MS);
    this.#closers.push(async () => {
      clearInterval(timer);
      await commit();
      await consumer.close(true);
    });
  }
}
