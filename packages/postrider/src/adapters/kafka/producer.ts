import { backoffMs } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import { bodyBytes } from "../../envelope/envelope.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import type { SendCallOptions, SendOutcome } from "../../ports/transport.ts";
import { Accumulator } from "./accumulator.ts";
import { KafkaBatchSink } from "./batch-sink.ts";
import { batchBytes } from "./batch-writer.ts";
import type { KafkaCompression } from "./batch-writer.ts";
import { partitionOfHash } from "./murmur2.ts";
import { parseLetterAddress } from "./letter-address.ts";
import { encodeLetter } from "./letter-record.ts";
import type { PlacedRecord } from "./letter-record.ts";
import { RecordWriter } from "./record-writer.ts";
import type { Waiting } from "./part-queue.ts";
import { parseReplyAddress } from "./reply-address.ts";
import type { ReplyAddress } from "./reply-address.ts";
import { SendCall } from "./send-call.ts";
import { unknownDestination } from "./topic-directory.ts";
import type { TopicDirectory } from "./topic-directory.ts";
import { clientBase } from "./vendor.ts";
import type { KafkaConnection, KafkaModule, VendorProducer } from "./vendor.ts";
import { wrapKafkaError } from "./vendor-error.ts";

/** What a producer is made with. */
export interface ProducerOptions {
  readonly connection: KafkaConnection;
  readonly clock: Clock;
  readonly random: Random;
  readonly topics: TopicDirectory;
  readonly compression: KafkaCompression;
  readonly lingerMs: number;
  /** The largest batch that brokers take. */
  readonly maxMessageBytes: number;
  readonly maxBodyBytes: number;
}

/** Where the messages of one destination go. */
interface Route {
  readonly destination: string;
  readonly reply: ReplyAddress | undefined;
  /** Whether copies of dead letters go there, which know their partition. */
  readonly isOfLetters: boolean;
  readonly name: string;
  /** Undefined where there is no such topic. */
  readonly partitions: number | undefined;
}

const MAX_REQUESTS = 5;
const MAX_REQUEST_MESSAGES = 500;
const MAX_REQUEST_BYTES = 1_000_000;
const BATCH_OVERHEAD_BYTES = 128;
const RETRY = { firstMs: 50, maxMs: 1000 };

/** Writes messages: merged, idempotent, to all in-sync replicas, each partition in order. */
export class KafkaProducer {
  readonly #options: ProducerOptions;
  readonly #client: VendorProducer;
  readonly #accumulator: Accumulator;
  readonly #writer = new RecordWriter();
  /** Topics that calls wait for: later calls must not overtake them. */
  readonly #awaited = new Map<string, number>();

  constructor(kafka: KafkaModule, options: ProducerOptions) {
    const { connection, maxMessageBytes } = options;
    this.#options = options;
    this.#client = new kafka.Producer({ ...clientBase(connection), retries: 0 });
    this.#client.on("error", () => undefined); // each send has its own outcome
    this.#accumulator = new Accumulator({
      ...options,
      sink: new KafkaBatchSink(kafka, this.#client, options),
      maxRequests: MAX_REQUESTS,
      maxRequestMessages: MAX_REQUEST_MESSAGES,
      maxRequestBytes: MAX_REQUEST_BYTES,
      maxBatchBytes: Math.min(MAX_REQUEST_BYTES, maxMessageBytes - BATCH_OVERHEAD_BYTES),
    });
  }

  /** See `Transport.send`. */
  send(batch: readonly Outgoing[], options: SendCallOptions): Promise<readonly SendOutcome[]> {
    if (batch.length === 0) return Promise.resolve([]);
    const call = new SendCall(batch.length, options, this.#options.clock.monotonicMs());
    if (this.#areKnown(batch)) this.#push(call, batch);
    else void this.#pushLater(call, batch);
    return call.promise;
  }

  /** Waits for what is under way, at most so long, then closes. */
  async close(flushMs: number): Promise<void> {
    const stop = new AbortController();
    await Promise.race([this.#accumulator.flush(), this.#options.clock.sleep(flushMs, stop.signal).catch(() => undefined)]);
    stop.abort();
    this.#accumulator.abandon(fail("PR_TRANSPORT_CLOSED", { transport: "kafka", during: "send" }));
    await this.#client.close(true).catch(() => undefined);
  }

  #areKnown(batch: readonly Outgoing[]): boolean {
    let last: string | undefined;
    for (const { destination } of batch) {
      if (destination === last) continue;
      last = destination;
      const topic = topicOf(destination);
      if (this.#options.topics.peek(topic) === undefined || this.#awaited.has(topic)) return false;
    }
    return true;
  }

  /** Asks for topics until the cluster answers or the deadline comes. */
  async #pushLater(call: SendCall, batch: readonly Outgoing[]): Promise<void> {
    const { clock, random, topics } = this.#options;
    const names = new Set(batch.map(({ destination }) => topicOf(destination)));
    for (const name of names) this.#awaited.set(name, (this.#awaited.get(name) ?? 0) + 1);
    for (let attempt = 1; !call.isOver; attempt++) {
      try {
        await Promise.all([...names].map((name) => topics.find(name)));
        this.#push(call, batch);
        break;
      } catch (error) {
        const waitMs = backoffMs(RETRY, attempt, random);
        if (clock.monotonicMs() + waitMs >= call.endsAtMs) call.settleRest(wrapKafkaError(error, "send"));
        else await clock.sleep(waitMs);
      }
    }
    for (const name of names) {
      const left = this.#awaited.get(name)! - 1;
      if (left === 0) this.#awaited.delete(name);
      else this.#awaited.set(name, left);
    }
  }

  #push(call: SendCall, batch: readonly Outgoing[]): void {
    let route: Route | undefined;
    for (let at = 0; at < batch.length; at++) {
      const { destination } = batch[at]!;
      if (route?.destination !== destination) route = this.#routeOf(destination);
      const refusal = this.#pushOne({ call, at }, batch[at]!, route);
      if (refusal !== undefined) call.settle(at, refusal);
    }
    this.#accumulator.track(call);
  }

  #routeOf(destination: string): Route {
    const reply = parseReplyAddress(destination);
    const letters = parseLetterAddress(destination);
    const name = reply?.topic ?? letters ?? destination;
    return { destination, reply, isOfLetters: letters !== undefined, name, partitions: this.#options.topics.peek(name)?.partitions };
  }

  #pushOne(place: Pick<Waiting, "call" | "at">, message: Outgoing, route: Route): SendOutcome {
    const { envelope, body } = message;
    const { name, partitions } = route;
    if (partitions === undefined) return unknownDestination(name);
    const { maxBodyBytes, maxMessageBytes } = this.#options;
    const { type } = envelope;
    // A text has at most three bytes a unit: most need no count.
    const size = typeof body === "string" && body.length * 3 <= maxBodyBytes ? 0 : bodyBytes(body);
    if (size > maxBodyBytes) return fail("PR_BODY_TOO_LARGE", { contract: type, bytes: size, limit: maxBodyBytes });
    const { record, partition } = this.#encode(message, route, partitions);
    if (record.length > maxMessageBytes - BATCH_OVERHEAD_BYTES && batchBytes([record]) > maxMessageBytes)
      return fail("PR_BODY_TOO_LARGE", { contract: type, bytes: record.length, limit: maxMessageBytes });
    this.#accumulator.push(name, partition, { record, type, call: place.call, at: place.at });
    return undefined;
  }

  #encode(message: Outgoing, { reply, isOfLetters }: Route, partitions: number): PlacedRecord {
    if (isOfLetters) return encodeLetter(this.#writer, message, partitions);
    const record = this.#writer.encode(message, reply === undefined ? message.envelope.partitionkey : undefined, reply?.inbox);
    return { record, partition: reply?.partition ?? partitionOfHash(this.#writer.keyHash, partitions) };
  }
}

function topicOf(destination: string): string {
  return parseReplyAddress(destination)?.topic ?? parseLetterAddress(destination) ?? destination;
}
