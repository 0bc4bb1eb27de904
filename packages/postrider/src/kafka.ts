export { kafka } from "./presets/kafka.ts";
export type { KafkaOptions } from "./presets/kafka.ts";
export type { KafkaCompression } from "./adapters/kafka/batch-writer.ts";
export type { KafkaTopicOptions } from "./adapters/kafka/topology.ts";
export type { Credential, KafkaSasl } from "./adapters/kafka/vendor.ts";
