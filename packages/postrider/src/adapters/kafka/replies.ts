import { fail, reasonOf } from "../../base/errors.ts";
import type { FoundMessage } from "../../envelope/envelope.ts";
import type { Logger } from "../../ports/logger.ts";
import type { ReplyInbox } from "../../ports/transport.ts";
import { partitionOf } from "./murmur2.ts";
import { LATEST, offsetsAt } from "./offsets.ts";
import { PartitionReader } from "./partition-reader.ts";
import type { PartitionReaderOptions } from "./partition-reader.ts";
import type { RawRecord } from "./batch-reader.ts";
import { replyAddress } from "./reply-address.ts";
import { createTopics } from "./topics-admin.ts";
import type { Topic } from "./topic-directory.ts";
import type { VendorAdmin } from "./vendor.ts";
import { wrapKafkaError } from "./vendor-error.ts";
import { decodeRecord, inboxOf } from "./record-reader.ts";

/** What reply inboxes need. */
export interface RepliesOptions extends Pick<PartitionReaderOptions, "clock" | "random" | "topics" | "pool"> {
  readonly admin: VendorAdmin;
  readonly replyTopic: string;
  readonly replicationFactor: number;
  readonly maxMessageBytes: number;
  readonly logger: Logger;
}

const PARTITIONS = 8; // instances that ask share them; each reads the one that its address names
const RETENTION_MS = 10 * 60_000;

/**
 * Opens an instance's inbox: a partition of the app's topic for answers, read from its end on, outside any group, so that no rebalance ever holds an answer up.
 *
 * Answers to other instances come past and are left; an answer to somebody who has gone is read by nobody and deleted by retention.
 */
export async function openReplyInbox(options: RepliesOptions, id: string, onReply: (message: FoundMessage) => void): Promise<ReplyInbox> {
  const topic = await replyTopicOf(options);
  const partition = partitionOf(Buffer.from(id), topic.partitions);
  const start = await startOf(options, topic, partition);
  let isOpen = true;
  const reader = new PartitionReader({
    ...options,
    topic,
    starts: new Map([[partition, start]]),
    onRecords: (_, records) => records.forEach((record) => take(record)),
    onGone: () => options.logger.error({ topic: topic.name, partition }, "answers were deleted before they were read"),
    onError: (error) => options.logger.warn({ err: error, code: error.code }, "answers cannot be read at the moment"),
  });

  function take(record: RawRecord): void {
    if (!isOpen || inboxOf(record) !== id) return;
    try {
      onReply(decodeRecord(record));
    } catch (error) {
      options.logger.error({ err: error }, `an answer could not be taken: ${reasonOf(error)}`);
    }
  }

  function close(): Promise<void> {
    isOpen = false;
    reader.close();
    return Promise.resolve();
  }

  return { address: replyAddress({ topic: topic.name, partition, inbox: id }), close };
}

async function replyTopicOf({ topics, admin, replyTopic, replicationFactor, maxMessageBytes, clock }: RepliesOptions): Promise<Topic> {
  const found = await topics.find(replyTopic);
  if (found !== undefined) return found;
  const configs = { "retention.ms": String(RETENTION_MS), "cleanup.policy": "delete", "max.message.bytes": String(maxMessageBytes) };
  await createTopics({ admin, topics, clock }, [{ name: replyTopic, partitions: PARTITIONS, replicationFactor, configs }]);
  const made = await topics.find(replyTopic);
  if (made === undefined) throw fail("PR_DESTINATION_UNKNOWN", { transport: "kafka", destination: replyTopic });
  return made;
}

async function startOf({ admin }: RepliesOptions, topic: Topic, partition: number): Promise<number> {
  try {
    return (await offsetsAt(admin, topic.name, [partition], LATEST)).get(partition) ?? 0;
  } catch (error) {
    throw wrapKafkaError(error, "opening a reply inbox");
  }
}
