import { fail } from "../../base/errors.ts";
import type { Destination, DestinationStatus, LetterCopies, Subscription, Topology, TopologyChange } from "../../ports/transport.ts";
import { committedOf, EARLIEST, LATEST, offsetsAt } from "./offsets.ts";
import type { Topic } from "./topic-directory.ts";
import { createTopics, differingConfigs, setConfigs } from "./topics-admin.ts";
import type { TopicAdministration } from "./topics-admin.ts";
import { wrapKafkaError } from "./vendor-error.ts";

/** What one topic is made like. */
export interface KafkaTopicOptions {
  /** Copies of each partition. Default what the brokers are set to. */
  readonly replicationFactor?: number;
  /** How long messages are kept, in milliseconds; -1 for ever. Default what the brokers are set to. */
  readonly retentionMs?: number;
  /** `compact` keeps the last message of each key: messages without a key are refused then. Default `delete`. */
  readonly cleanupPolicy?: "delete" | "compact" | "compact,delete";
  /** Copies that must have a message before it is confirmed. Default what the brokers are set to. */
  readonly minInsyncReplicas?: number;
  /** Any other setting of a topic, by Kafka's name. */
  readonly configs?: Readonly<Record<string, string>>;
}

/** What a topology is applied with. */
export interface TopologyOptions extends TopicAdministration {
  readonly groupOf: (service: string, destination: string) => string;
  readonly topicOptions: (destination: string) => KafkaTopicOptions;
  readonly letterCopies: LetterCopies | undefined;
  readonly maxMessageBytes: number;
}

/** How the cluster differs from a topology. Topics of others are not listed: a cluster is shared. */
export async function differences(options: TopologyOptions, topology: Topology): Promise<TopologyChange[]> {
  try {
    const letters = letterTopics(options, topology);
    const topics = await Promise.all(
      topology.destinations.map((destination) => topicDifferences(options, destination, !letters.has(destination.name))),
    );
    const groups = await Promise.all(topology.subscriptions.map((subscription) => groupDifferences(options, subscription)));
    return [...topics.flat(), ...groups.flat()];
  } catch (error) {
    throw wrapKafkaError(error, "plan");
  }
}

/** Makes what is missing. @throws PR_TOPOLOGY_DRIFT for what cannot be made to fit */
export async function applyTopology(options: TopologyOptions, topology: Topology): Promise<void> {
  const changes = await differences(options, topology);
  const external = new Set(topology.destinations.filter(({ isExternal }) => isExternal).map(({ name }) => name));
  const drift = changes.filter(
    ({ action, thing, detail }) => (action === "change" && !isSetting(detail)) || (action === "create" && external.has(thing)),
  );
  if (drift.length > 0)
    throw fail("PR_TOPOLOGY_DRIFT", {
      transport: "kafka",
      changes: drift.map(({ action, thing, detail }) => `${action} ${thing} (${detail})`).join("; "),
    });
  const toCreate = new Set(changes.filter(({ action }) => action === "create").map(({ thing }) => thing));
  const toChange = new Set(changes.filter(({ action }) => action === "change").map(({ thing }) => thing));
  const named = topology.destinations.filter(({ isExternal }) => !isExternal);
  const wanted = named.filter(({ name }) => toCreate.has(name));
  await createTopics(
    options,
    wanted.map(({ name, lanes }) => ({
      name,
      partitions: lanes,
      replicationFactor: options.topicOptions(name).replicationFactor ?? -1,
      configs: allConfigs(options, name),
    })),
  );
  try {
    await Promise.all(
      named.filter(({ name }) => toChange.has(name)).map(({ name }) => setConfigs(options.admin, name, declaredConfigs(options, name))),
    );
    await Promise.all(topology.subscriptions.map((subscription) => ensureCommitted(options, subscription)));
  } catch (error) {
    throw wrapKafkaError(error, "apply");
  }
}

/** Remembers where a subscription starts, so that what is written from now on waits for it. */
export async function ensureCommitted(options: TopologyOptions, { service, destination, from }: Subscription): Promise<void> {
  const { admin, topics } = options;
  const topic = await topics.get(destination.name);
  const groupId = options.groupOf(service, topic.name);
  const partitions = partitionsOf(topic);
  const committed = await committedOf(admin, groupId, topic.name, partitions);
  const missing = partitions.filter((partition) => !committed.has(partition));
  if (missing.length === 0) return;
  const starts = await offsetsAt(admin, topic.name, missing, from === "earliest" || committed.size > 0 ? EARLIEST : LATEST);
  const partitionOffsets = missing.map((partition) => ({ partition, offset: BigInt(starts.get(partition) ?? 0) }));
  try {
    await admin.alterConsumerGroupOffsets({ groupId, topics: [{ name: topic.name, partitionOffsets }] });
  } catch (error) {
    // A member that runs already finds its place by the same rule; the broker lets nobody else write while it is there.
    const isThere = await committedOf(admin, groupId, topic.name, partitions).then(({ size }) => size > 0);
    if (!isThere && !String((error as { toString(): string }).toString()).includes("not aware of this member")) throw error;
  }
}

/** How destinations and their subscriptions stand. */
export async function destinationStatuses(options: TopologyOptions, topology: Topology): Promise<DestinationStatus[]> {
  const statuses = topology.destinations.map(async ({ name }): Promise<DestinationStatus | undefined> => {
    const topic = await options.topics.find(name);
    if (topic === undefined) return undefined;
    const partitions = partitionsOf(topic);
    const [first, last] = await Promise.all([
      offsetsAt(options.admin, name, partitions, EARLIEST),
      offsetsAt(options.admin, name, partitions, LATEST),
    ]);
    const readers = topology.subscriptions.filter(({ destination }) => destination.name === name);
    const subscriptions = readers.map(async ({ service, from }) => {
      const committed = await committedOf(options.admin, options.groupOf(service, name), name, partitions);
      const start = from === "earliest" ? first : last;
      const backlog = sum(partitions, (one) =>
        Math.max(0, last.get(one)! - Math.max(first.get(one)!, committed.get(one)?.offset ?? start.get(one)!)),
      );
      return { service, backlog };
    });
    return {
      destination: name,
      messages: sum(partitions, (one) => last.get(one)! - first.get(one)!),
      subscriptions: await Promise.all(subscriptions),
    };
  });
  return (await Promise.all(statuses)).filter((status) => status !== undefined);
}

/** The topics for dead letters: whoever made them, any number of partitions will do. */
function letterTopics({ letterCopies }: TopologyOptions, { destinations }: Topology): ReadonlySet<string> {
  return new Set(letterCopies && destinations.map(({ name }) => letterCopies.destinationOf(name)));
}

async function topicDifferences(
  options: TopologyOptions,
  { name, kind, lanes, isExternal }: Destination,
  isOfLanes: boolean,
): Promise<TopologyChange[]> {
  const topic = await options.topics.ask(name);
  if (topic === undefined) return [{ action: "create", thing: name, detail: `${kind}, ${lanes} partitions` }];
  if (isExternal) return [];
  const changes: TopologyChange[] = [];
  if (isOfLanes && topic.partitions !== lanes) {
    const hazard =
      "with another number, keys go to other partitions and overtake what waits in the old ones: drain the topic first, or make a new one";
    changes.push({ action: "change", thing: name, detail: `${topic.partitions} partitions there, ${lanes} wanted; ${hazard}` });
  }
  const settings = await differingConfigs(options.admin, name, declaredConfigs(options, name));
  if (settings.length > 0) changes.push({ action: "change", thing: name, detail: `${SETTINGS}${settings.join(", ")}` });
  return changes;
}

async function groupDifferences(options: TopologyOptions, { service, destination, from }: Subscription): Promise<TopologyChange[]> {
  const groupId = options.groupOf(service, destination.name);
  const topic = await options.topics.find(destination.name);
  const committed = topic && (await committedOf(options.admin, groupId, topic.name, partitionsOf(topic)));
  if (topic !== undefined && committed?.size === topic.partitions) return [];
  return [{ action: "create", thing: `${service} on ${destination.name}`, detail: `group ${groupId}, from ${from}` }];
}

const SETTINGS = "settings: ";

function isSetting(detail: string): boolean {
  return detail.startsWith(SETTINGS);
}

/** What was declared; the rest is the brokers' own business. */
function declaredConfigs({ topicOptions }: TopologyOptions, name: string): Record<string, string> {
  const { retentionMs, cleanupPolicy, minInsyncReplicas, configs } = topicOptions(name);
  return {
    ...(retentionMs === undefined ? {} : { "retention.ms": String(retentionMs) }),
    ...(cleanupPolicy === undefined ? {} : { "cleanup.policy": cleanupPolicy }),
    ...(minInsyncReplicas === undefined ? {} : { "min.insync.replicas": String(minInsyncReplicas) }),
    ...configs,
  };
}

function allConfigs(options: TopologyOptions, name: string): Record<string, string> {
  return { "max.message.bytes": String(options.maxMessageBytes), ...declaredConfigs(options, name) };
}

function partitionsOf({ partitions }: Topic): number[] {
  return Array.from({ length: partitions }, (_, at) => at);
}

function sum(partitions: readonly number[], of: (partition: number) => number): number {
  return partitions.reduce((total, partition) => total + of(partition), 0);
}
