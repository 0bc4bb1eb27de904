import { type Artifact, hasMavenJars, mavenJars } from "../../brokers/recipes/maven-jars.ts";

const NAME = "spring-kafka-4.1.1-json";
const ARTIFACTS: readonly Artifact[] = [
  ["org.springframework.kafka", "spring-kafka", "4.1.1"],
  ["tools.jackson.core", "jackson-databind", "3.1.5"],
  ["org.slf4j", "slf4j-simple", "2.0.17"],
];

/** Spring for Kafka and what it writes JSON with, for `java -cp '<folder>/*'`; fetched once per machine and user. */
export function springJars(): Promise<string> {
  return mavenJars(NAME, ARTIFACTS);
}

/** Whether {@link springJars} need not fetch. */
export function hasSpringJars(): boolean {
  return hasMavenJars(NAME);
}
