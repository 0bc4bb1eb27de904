import { committedBatches } from "./aborted.ts";
import { readBatches, recordsOf } from "./batch-reader.ts";
import type { RawRecord } from "./batch-reader.ts";
import { BrokerLink } from "./broker-link.ts";
import { FETCH, FETCH_VERSION, fetchRequest, readFetched } from "./fetch-request.ts";
import type { FetchedPartition, FetchTarget } from "./fetch-request.ts";
import { clientBase } from "./vendor.ts";
import type { KafkaConnection, KafkaModule, VendorAdmin } from "./vendor.ts";
import { KAFKA_CODES } from "./vendor-error.ts";

/** What a fetch brought for one partition. */
export interface FetchedPart {
  readonly partition: number;
  /** Where the fetch began: what came is for nobody if the lane has moved since. */
  readonly from: number;
  readonly records: readonly RawRecord[];
  /** The offset to go on from. */
  readonly next: number;
  /** The end of what readers may see. */
  readonly end: number;
  /** Whether the broker does not have what was asked for: it has been deleted. */
  readonly isGone: boolean;
}

/** What a fetch brought. */
export interface Fetched {
  readonly parts: readonly FetchedPart[];
  /** Whether every partition answered: else its leader has moved, as a rule. */
  readonly isWhole: boolean;
}

/** What is asked of one broker. */
export interface FetchCall {
  readonly topic: string;
  readonly node: number;
  readonly targets: readonly FetchTarget[];
  /** How long the broker may wait for something to come. */
  readonly maxWaitMs: number;
}

/** A client of its own for each fetch that is under way: a broker takes the requests of a connection one after the other, and would let others wait behind a long poll. */
interface Line {
  readonly client: VendorAdmin;
  readonly link: BrokerLink;
}

const MAX_BYTES = 8 * 1024 * 1024;

/**
 * Fetches for all readers of a transport. Who asks for what another waits for already gets the same answer: groups of one process that have come equally far,
 * as they have whenever there is no backlog, cost the broker and us one fetch and not one each.
 */
export class FetchPool {
  readonly #kafka: KafkaModule;
  readonly #connection: KafkaConnection;
  readonly #maxPartitionBytes: number;
  readonly #underWay = new Map<string, Promise<Fetched>>();
  readonly #lines = new Set<Line>();
  readonly #idle = new Map<number, Line[]>();

  constructor(kafka: KafkaModule, options: { readonly connection: KafkaConnection; readonly maxPartitionBytes: number }) {
    this.#kafka = kafka;
    this.#connection = options.connection;
    this.#maxPartitionBytes = options.maxPartitionBytes;
  }

  /** What is there, or comes within the time; the answer is shared, so nobody may change it. Rejects when the broker cannot be asked. */
  fetch(call: FetchCall): Promise<Fetched> {
    const name = nameOf(call);
    let underWay = this.#underWay.get(name);
    if (underWay === undefined) this.#underWay.set(name, (underWay = this.#fetch(name, call)));
    return underWay;
  }

  /** Ends the fetches that are under way. */
  async close(): Promise<void> {
    await Promise.all([...this.#lines].map(({ client }) => client.close().catch(() => undefined)));
  }

  async #fetch(name: string, { topic, node, targets, maxWaitMs }: FetchCall): Promise<Fetched> {
    const idle = this.#idle.get(node) ?? [];
    this.#idle.set(node, idle);
    const line = idle.pop() ?? this.#newLine();
    const limits = { maxWaitMs, maxBytes: MAX_BYTES, maxPartitionBytes: this.#maxPartitionBytes };
    const payload = [fetchRequest(topic, targets, limits)];
    try {
      return this.#read(await line.link.request(node, { apiKey: FETCH, apiVersion: FETCH_VERSION, payload, read: readFetched }), targets);
    } finally {
      // Before anybody hears of the answer: who asks again wants another one.
      this.#underWay.delete(name);
      idle.push(line);
    }
  }

  #newLine(): Line {
    // It does not retry by itself: what is asked for may have changed by then.
    const client = new this.#kafka.Admin({ ...clientBase(this.#connection), retries: 0 });
    client.on("error", () => undefined); // each fetch has its own outcome
    const line = { client, link: new BrokerLink(this.#kafka, client) };
    this.#lines.add(line);
    return line;
  }

  #read(answer: readonly FetchedPartition[], targets: readonly FetchTarget[]): Fetched {
    const offsets = new Map(targets.map(({ partition, offset }) => [partition, offset]));
    const parts: FetchedPart[] = [];
    let isWhole = true;
    for (const found of answer) {
      const from = offsets.get(found.partition);
      if (from === undefined) continue;
      if (found.errorCode === KAFKA_CODES.NONE) parts.push(this.#partOf(found, from));
      else if (found.errorCode === KAFKA_CODES.OFFSET_OUT_OF_RANGE)
        parts.push({ partition: found.partition, from, records: [], next: from, end: 0, isGone: true });
      else isWhole = false;
    }
    return { parts, isWhole };
  }

  #partOf({ partition, records, aborted, lastStable }: FetchedPartition, from: number): FetchedPart {
    const batches = readBatches(this.#kafka, records);
    const visible = committedBatches(batches, aborted);
    const found = visible.length === 1 ? recordsOf(visible[0]!, from) : visible.flatMap((batch) => recordsOf(batch, from));
    const last = batches.at(-1);
    return { partition, from, records: found, next: last === undefined ? from : last.lastOffset + 1, end: lastStable, isGone: false };
  }
}

function nameOf({ topic, node, targets, maxWaitMs }: FetchCall): string {
  let name = `${topic} ${node} ${maxWaitMs}`;
  for (const { partition, offset } of targets) name += ` ${partition}:${offset}`;
  return name;
}
