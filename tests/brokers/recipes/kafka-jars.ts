import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { program } from "../programs.ts";
import { runToEnd } from "../run-to-end.ts";

/** The newest that is on Maven Central with its tools: those of 4.4.0 are not there. */
export const KAFKA_VERSION = "4.3.1";
const SLF4J = "1.7.36"; // the line that Kafka logs through; without a back end it says nothing
const DEPENDENCIES = [
  ["org.apache.kafka", "kafka_2.13", KAFKA_VERSION],
  ["org.apache.kafka", "kafka-tools", KAFKA_VERSION],
  ["org.slf4j", "slf4j-simple", SLF4J],
];

/** Apache Kafka's jars, server and command line tools, for `java -cp '<folder>/*'`; fetched once per machine and user (54 MB). */
export async function kafkaJars(): Promise<string> {
  const folder = join(cacheFolder(), `kafka-${KAFKA_VERSION}`);
  if (!existsSync(folder)) await fetchInto(folder);
  return folder;
}

/** Whether {@link kafkaJars} need not fetch. */
export function hasKafkaJars(): boolean {
  return existsSync(join(cacheFolder(), `kafka-${KAFKA_VERSION}`));
}

/** Where what is fetched once per machine and user is kept. */
export function cacheFolder(): string {
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "postrider");
}

/** By Maven, with the user's own settings and mirrors. The folder comes to be whole or not at all; two that fetch at once do not mind each other. */
async function fetchInto(folder: string): Promise<void> {
  await mkdir(cacheFolder(), { recursive: true });
  const work = await mkdtemp(`${folder}-`);
  try {
    await writeFile(join(work, "pom.xml"), pom());
    const goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", `-DoutputDirectory=${join(work, "jars")}`];
    await runToEnd({ file: program("mvn")!, args: ["-q", "-B", ...goal], cwd: work });
    await rename(join(work, "jars"), folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error; // else another was first
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function pom(): string {
  const dependencies = DEPENDENCIES.map(
    ([group, artifact, version]) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`,
  );
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>postrider.tests</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>${dependencies.join("")}</dependencies>
</project>
`;
}
