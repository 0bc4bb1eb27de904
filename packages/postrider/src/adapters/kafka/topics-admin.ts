import type { Clock } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import type { TopicDirectory } from "./topic-directory.ts";
import type { VendorAdmin } from "./vendor.ts";
import { hasKafkaCode, KAFKA_CODES, wrapKafkaError } from "./vendor-error.ts";

/** A topic to make. */
export interface NewTopic {
  readonly name: string;
  readonly partitions: number;
  /** -1 for the brokers' default. */
  readonly replicationFactor: number;
  readonly configs: Readonly<Record<string, string>>;
}

/** What topics are made with. */
export interface TopicAdministration {
  readonly admin: VendorAdmin;
  readonly topics: TopicDirectory;
  readonly clock: Clock;
}

const READY_WITHIN_MS = 15_000;
const LOOK_AGAIN_MS = 25;
const TOPIC_RESOURCE = 2 as const; // ConfigResource.Type.TOPIC
const SET = 0 as const; // AlterConfigOp.OpType.SET

/** Makes topics, and waits until each partition has a leader. Topics that somebody makes at the same time are no error. */
export async function createTopics({ admin, topics, clock }: TopicAdministration, wanted: readonly NewTopic[]): Promise<void> {
  await Promise.all(wanted.map((topic) => createTopic(admin, topic)));
  const untilMs = clock.monotonicMs() + READY_WITHIN_MS;
  for (const { name } of wanted) {
    for (
      let topic = await topics.ask(name);
      topic === undefined || topic.leaders.some((leader) => leader < 0);
      topic = await topics.ask(name)
    ) {
      if (clock.monotonicMs() > untilMs)
        throw fail("PR_TRANSPORT_FAILED", {
          transport: "kafka",
          during: `making ${name}`,
          detail: `no leader for it in ${READY_WITHIN_MS} ms`,
        });
      await clock.sleep(LOOK_AGAIN_MS);
    }
  }
}

/** The settings of a topic that differ from what is wanted, as `name: found, wanted`. */
export async function differingConfigs(admin: VendorAdmin, name: string, wanted: Readonly<Record<string, string>>): Promise<string[]> {
  const names = Object.keys(wanted);
  if (names.length === 0) return [];
  const [found] = await admin.describeConfigs({
    resources: [{ resourceType: TOPIC_RESOURCE, resourceName: name, configurationKeys: names }],
  });
  const values = new Map(found?.configs.map((config) => [config.name, config.value ?? ""]));
  return names.filter((one) => values.get(one) !== wanted[one]).map((one) => `${one}: ${values.get(one)} there, ${wanted[one]} wanted`);
}

/** Sets settings of a topic; others stay. */
export async function setConfigs(admin: VendorAdmin, name: string, configs: Readonly<Record<string, string>>): Promise<void> {
  const list = Object.entries(configs).map(([one, value]) => ({ name: one, configOperation: SET, value }));
  await admin.incrementalAlterConfigs({ resources: [{ resourceType: TOPIC_RESOURCE, resourceName: name, configs: list }] });
}

async function createTopic(admin: VendorAdmin, { name, partitions, replicationFactor, configs }: NewTopic): Promise<void> {
  try {
    await admin.createTopics({
      topics: [{ topic: name, partitions, replicas: replicationFactor }],
      configs: Object.entries(configs).map(([one, value]) => ({ name: one, value })),
    });
  } catch (error) {
    if (!hasKafkaCode(error, KAFKA_CODES.TOPIC_ALREADY_EXISTS)) throw wrapKafkaError(error, `making ${name}`);
  }
}
