import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Admin, FindCoordinatorKeyTypes } from "@platformatic/kafka";
import { answers } from "../answers.ts";
import { Child } from "../child.ts";
import { freePorts } from "../ports.ts";
import { program } from "../programs.ts";
import type { Prepared, Program, Recipe, ServerOptions } from "../recipe.ts";
import { runToEnd } from "../run-to-end.ts";
import { kafkaSecurity } from "./kafka-security.ts";
import { classArchiveFlags } from "./class-archive.ts";
import { hasKafkaJars, KAFKA_VERSION, kafkaJars } from "./kafka-jars.ts";

const QUERY_LIMIT_MS = 5000;
const TRIAL_END_LIMIT_MS = 60_000; // it writes 50 MB
const IMAGE = `apache/kafka:${KAFKA_VERSION}`;
const CLUSTER_ID = "cG9zdHJpZGVyLXRlc3RzLQ"; // 16 bytes in base64url, as it wants them
const SETTINGS = {
  "process.roles": "broker,controller",
  "node.id": "1",
  "controller.listener.names": "CONTROLLER",
  "inter.broker.listener.name": "PLAINTEXT",
  "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
  "auto.create.topics.enable": "false",
  // A restart after SIGKILL waits until the dead broker's registration has timed out: 3 s so, 13 s by default.
  "broker.session.timeout.ms": "1000",
  "broker.heartbeat.interval.ms": "200",
  "group.initial.rebalance.delay.ms": "0",
  // One broker has one copy of everything, and few partitions of its own topics come up quickly.
  "offsets.topic.replication.factor": "1",
  "offsets.topic.num.partitions": "4",
  "transaction.state.log.replication.factor": "1",
  "transaction.state.log.min.isr": "1",
  "transaction.state.log.num.partitions": "4",
  "share.coordinator.state.topic.replication.factor": "1",
  "share.coordinator.state.topic.min.isr": "1",
  "share.coordinator.state.topic.num.partitions": "4",
  "log.cleaner.dedupe.buffer.size": "16777216",
};
// No file in the temporary folder that a SIGKILL would leave behind.
const JVM = ["-Xmx512m", "-XX:-UsePerfData", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"];

/** Apache Kafka in KRaft mode, one node that is broker and controller. */
export const kafkaRecipe: Recipe = { missing, prepare, prepareContainer };

function missing(): string | undefined {
  if (java() === undefined) return "Java 17 or newer is not installed (Debian: apt-get install openjdk-17-jre-headless)";
  return hasKafkaJars() || program("mvn") !== undefined
    ? undefined
    : "Maven, which fetches Kafka, is not installed (Debian: apt-get install maven)";
}

async function prepare(folder: string, options: ServerOptions): Promise<Prepared> {
  const jars = await kafkaJars();
  const flags = await classArchiveFlags(java()!, jars, {
    folder: join(folder, "trial"),
    run: (place, more) => tryOut(place, jars, more),
  });
  return installed(folder, { ...options, jars, flags });
}

interface Installation extends ServerOptions {
  readonly jars: string;
  readonly flags: readonly string[];
}

async function installed(
  folder: string,
  { settings, isSecure = false, jars, flags }: Installation,
): Promise<Prepared & { readonly program: Program }> {
  const [port, controller, behind, proxy] = (await freePorts(4)) as [number, number, number, number];
  const secured = isSecure ? await kafkaSecurity(folder) : undefined;
  const properties: Record<string, string> = {
    ...SETTINGS,
    ...secured?.properties,
    ...advertised(port, proxy),
    "log.dirs": join(folder, "data"),
    "controller.quorum.voters": `1@127.0.0.1:${controller}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},PROXIED://127.0.0.1:${behind},CONTROLLER://127.0.0.1:${controller}`,
    ...settings,
  };
  for (const [name, more] of Object.entries(secured?.behindLists ?? {})) properties[name] = `${properties[name]},${more}`;
  const file = join(folder, "server.properties");
  writeFileSync(
    file,
    Object.entries(properties).reduce((text, [name, value]) => `${text}${name}=${value}\n`, ""),
  );
  const command = [...JVM, ...flags, "-cp", join(jars, "*")];
  const format = ["-XX:TieredStopAtLevel=1", ...command, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", file];
  await runToEnd({ file: java()!, args: [...format, ...(secured?.formatArgs ?? [])], cwd: folder });
  const server: Program = { file: java()!, args: [...command, "kafka.Kafka", file], cwd: folder, endSignal: "SIGKILL" };
  return { ...at(port, behind, proxy), ...(secured !== undefined && { secure: secured.secure }), program: server };
}

/** A server that lives until it answers, and ends by itself. */
async function tryOut(folder: string, jars: string, flags: readonly string[]): Promise<void> {
  const { program, query } = await installed(folder, { jars, flags: [] });
  const child = new Child({ ...program, args: [...flags, ...program.args], endSignal: "SIGTERM" }, join(folder, "server.log"));
  try {
    await answers(query, child);
  } finally {
    await child.end(TRIAL_END_LIMIT_MS);
  }
}

async function prepareContainer(_folder: string, { settings }: ServerOptions): Promise<Prepared> {
  const [port, behind, proxy] = (await freePorts(3)) as [number, number, number];
  const listeners = "PLAINTEXT://:9092,PROXIED://:9094,CONTROLLER://:9093";
  const properties = { ...SETTINGS, ...advertised(port, proxy), "controller.quorum.voters": "1@localhost:9093", listeners, ...settings };
  const env = Object.fromEntries(
    Object.entries(properties).map(([name, value]) => [`KAFKA_${name.toUpperCase().replaceAll(".", "_")}`, value]),
  );
  return { ...at(port, behind, proxy), program: { image: IMAGE, env, ports: { [port]: 9092, [behind]: 9094 } } };
}

/** Clients go where the server says it is: who comes by way of a proxy must be sent back to the proxy. */
function advertised(port: number, proxy: number): Readonly<Record<string, string>> {
  return { "advertised.listeners": `PLAINTEXT://127.0.0.1:${port},PROXIED://127.0.0.1:${proxy}` };
}

function at(port: number, behind: number, proxy: number): Omit<Prepared, "program"> {
  return { url: `kafka://127.0.0.1:${port}`, proxied: { port: behind, listenPort: proxy }, query: () => query(port) };
}

/** The group coordinator is asked for, so that its topic is there: the first member of the first group need not wait for it. */
async function query(port: number): Promise<void> {
  const admin = new Admin({
    clientId: "postrider-bench",
    bootstrapBrokers: [`127.0.0.1:${port}`],
    timeout: QUERY_LIMIT_MS,
    connectTimeout: QUERY_LIMIT_MS,
    requestTimeout: QUERY_LIMIT_MS,
    retries: 0,
  });
  try {
    await admin.findCoordinator({ keyType: FindCoordinatorKeyTypes.GROUP, keys: ["postrider-bench"] });
  } finally {
    await admin.close();
  }
}

function java(): string | undefined {
  const home = process.env["JAVA_HOME"];
  return program("java", home ? [join(home, "bin")] : []);
}
