import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Consumer } from "@platformatic/kafka";
import { Client } from "pg";
import { debeziumConnector, postgresReplication } from "postrider/postgres";
import { beforeAll, expect, test } from "vitest";
import { Child } from "../brokers/child.ts";
import { guard } from "../brokers/guard.ts";
import { missingOwn, ownBroker } from "../brokers/own.ts";
import { program } from "../brokers/programs.ts";
import { debeziumPlugin, missingDebezium } from "../brokers/recipes/debezium-plugin.ts";
import { kafkaJars } from "../brokers/recipes/kafka-jars.ts";
import { OutboxWorld } from "./outbox-world.ts";
import { until } from "./wait.ts";

const LIMIT_MS = 180_000; // two servers and a JVM that starts, on a machine that does other things too
const FETCH_LIMIT_MS = 300_000; // once per machine: some 80 MB
const java = program("java");
const TOTAL = 12;
const missing = missingOwn("postgres") ?? missingOwn("kafka") ?? missingDebezium();
if (missing !== undefined) {
  if (process.env["CI"]) throw new Error(missing);
  process.stderr.write(`postrider: Debezium is not tried: ${missing}\n`);
}

/** Kafka Connect with the printed configuration. */
class Connect implements AsyncDisposable {
  readonly #folder: string = guard().makeFolder("connect");
  readonly #child: Child;

  constructor(jars: string, plugins: string, brokers: string, connector: Readonly<Record<string, string>>) {
    const worker = {
      "bootstrap.servers": brokers,
      "key.converter": "org.apache.kafka.connect.storage.StringConverter",
      "value.converter": "org.apache.kafka.connect.storage.StringConverter",
      "offset.storage.file.filename": join(this.#folder, "offsets"),
      "offset.flush.interval.ms": "200",
      "plugin.path": plugins,
      listeners: "http://127.0.0.1:0",
      "config.providers": "env",
      "config.providers.env.class": "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
    };
    const files = [this.#properties("worker", worker), this.#properties("outbox", { name: "outbox", ...connector })];
    const flags = ["-Xmx512m", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1"];
    const args = [...flags, "-cp", `${jars}/*`, "org.apache.kafka.connect.cli.ConnectStandalone", ...files];
    const program = { file: java!, args, cwd: this.#folder, env: { PGPASSWORD: "none" }, endSignal: "SIGKILL" } as const;
    this.#child = new Child(program, join(this.#folder, "log"));
  }

  /** @throws what it said last, when it has ended */
  async assertRuns(): Promise<void> {
    if (this.#child.isOver) throw new Error(await this.#child.output());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.end();
    guard().removeFolder(this.#folder);
  }

  #properties(name: string, values: Readonly<Record<string, string>>): string {
    const file = join(this.#folder, `${name}.properties`);
    const lines = Object.entries(values).map(([key, value]) => `${key}=${value.replaceAll("\\", "\\\\")}\n`);
    writeFileSync(file, lines.join(""));
    return file;
  }
}

beforeAll(async () => {
  if (missing === undefined) await Promise.all([kafkaJars(), debeziumPlugin()]);
}, FETCH_LIMIT_MS);

// Without the servers and the connector there is nothing to check; the reason is printed above.
test.skipIf(missing !== undefined)(
  "Debezium carries the outbox with the printed configuration: bodies byte for byte, keys and ids",
  { timeout: LIMIT_MS },
  async () => {
    const [jars, plugins] = [await kafkaJars(), await debeziumPlugin()];
    await using postgres = await ownBroker("postgres");
    await using kafka = await ownBroker("kafka");
    await using world = new OutboxWorld({ url: postgres.url, schema: "app", outbox: { by: "debezium" } });
    await world.relay();
    const sql = new Client({ connectionString: postgres.url });
    await sql.connect();
    await sql.query(postgresReplication("app"));
    const before = await world.write(TOTAL / 2); // of before the connector came: from its snapshot
    const brokers = kafka.url.replace("kafka://", "");
    const created = { "topic.creation.default.replication.factor": "1", "topic.creation.default.partitions": "4" };
    await using connect = new Connect(jars, plugins, brokers, { ...debeziumConnector({ url: postgres.url, schema: "app" }), ...created });
    await until(async () => {
      await connect.assertRuns();
      return (await sql.query("select 1 from pg_replication_slots where slot_name like 'postrider_debezium_%' and active")).rows.length > 0;
    });
    const ids = [...before, ...(await world.write(TOTAL / 2))];
    const records = await read(brokers, TOTAL);
    expect(records.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
    for (const { id, key, type, body, envelope } of records) {
      const number = ids.indexOf(id);
      const bytes = number % 3 === 0 ? Buffer.of(0, 255, number) : Buffer.from(JSON.stringify({ id }));
      expect([key, type, body, envelope]).toEqual([
        `key-${number % 7}`,
        "order.placed",
        bytes,
        expect.objectContaining({ id, source: "/test" }),
      ]);
    }
    expect(world.sent).toEqual([]);
    await sql.end();
  },
);

interface Carried {
  readonly id: string;
  readonly key: string;
  readonly type: string;
  readonly body: Buffer;
  readonly envelope: unknown;
}

async function read(brokers: string, count: number): Promise<readonly Carried[]> {
  const consumer = new Consumer({ clientId: "reader", groupId: "reader", bootstrapBrokers: [brokers] });

  await until(async () =>
    consumer.metadata({ topics: ["order.events"], autocreateTopics: false, forceUpdate: true }).then(
      () => true,
      () => false,
    ),
  );
  const stream = await consumer.consume({ topics: ["order.events"], mode: "earliest", autocommit: false });
  const found: Carried[] = [];
  for await (const { key, value, headers } of stream) {
    const header = (name: string): string => [...headers].find(([at]) => at.toString() === name)?.[1].toString() ?? "";
    found.push({
      id: header("event-id"),
      key: key.toString(),
      type: header("event-type"),
      body: Buffer.from(value),
      envelope: JSON.parse(header("envelope")),
    });
    if (found.length === count) break;
  }
  await stream.close();
  await consumer.close();
  return found;
}
