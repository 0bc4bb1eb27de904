import { type Artifact, hasMavenJars, mavenJars } from "./maven-jars.ts";

/** The newest that is on Maven Central with its tools: those of 4.4.0 are not there. */
export const KAFKA_VERSION = "4.3.1";
const SLF4J = "1.7.36"; // the line that Kafka logs through; without a back end it says nothing
const NAME = `kafka-${KAFKA_VERSION}`;
const ARTIFACTS: readonly Artifact[] = [
  ["org.apache.kafka", "kafka_2.13", KAFKA_VERSION],
  ["org.apache.kafka", "kafka-tools", KAFKA_VERSION],
  ["org.slf4j", "slf4j-simple", SLF4J],
];

/** Apache Kafka's jars, server and command line tools, for `java -cp '<folder>/*'`; fetched once per machine and user (54 MB). */
export function kafkaJars(): Promise<string> {
  return mavenJars(NAME, ARTIFACTS);
}

/** Whether {@link kafkaJars} need not fetch. */
export function hasKafkaJars(): boolean {
  return hasMavenJars(NAME);
}
