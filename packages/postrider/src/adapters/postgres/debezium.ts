import { lockOf } from "./locks.ts";
import { publicationOf } from "./replication-slot.ts";

/** What {@link debeziumConnector} takes. */
export interface DebeziumConnectorOptions {
  /** `postgres://user@host/database`. A password in it is left out. */
  readonly url: string;
  /** Where the tables are. Default `public`. */
  readonly schema?: string;
  /** What the connector puts for the password, default `${env:PGPASSWORD}`: Kafka Connect reads it through its `EnvVarConfigProvider`. */
  readonly password?: string;
  /** Before the names of topics. Default none: the topic is the destination, as Postrider's own Kafka transport has it. */
  readonly topicPrefix?: string;
}

const DEFAULT_PORT = "5432";

/** The slot that the connector of a schema reads. */
export function debeziumSlot(schema: string): string {
  return `postrider_debezium_${lockOf(schema).toString(16)}`;
}

/**
 * The configuration of a Debezium connector that carries all outboxes of a schema to Kafka, for Kafka Connect: as JSON to its REST interface, or as properties.
 *
 * The body arrives byte for byte, under the ordering key; headers are `id`, `event-id`, `event-type` and `envelope` (all attributes, as JSON). At least once, in the order of the commits. Needs the
 * publication of {@link postgresReplication} and, for the application, `outbox: { by: "debezium" }`: the rows are removed once the connector has confirmed them.
 * Tested with Debezium 3.6.
 */
export function debeziumConnector(options: DebeziumConnectorOptions): Readonly<Record<string, string>> {
  const { url, schema = "public", password = "${env:PGPASSWORD}", topicPrefix = "" } = options;
  const { hostname, port, username, pathname } = new URL(url);
  return {
    "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
    "tasks.max": "1",
    "database.hostname": hostname,
    "database.port": port === "" ? DEFAULT_PORT : port,
    "database.user": decodeURIComponent(username),
    "database.password": password,
    "database.dbname": decodeURIComponent(pathname.slice(1)),
    "topic.prefix": `postrider_${lockOf(schema).toString(16)}`,
    "plugin.name": "pgoutput",
    "slot.name": debeziumSlot(schema),
    "publication.name": publicationOf(schema),
    "publication.autocreate.mode": "disabled",
    "table.include.list": `${escaped(schema)}.pr_outbox`,
    // Rows that wait when the connector comes for the first time are read once from the table.
    "snapshot.mode": "initial",
    "tombstones.on.delete": "false",
    "binary.handling.mode": "bytes",
    // Without it an idle outbox in a busy database keeps the server's log for ever.
    "heartbeat.interval.ms": "1000",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "io.debezium.converters.BinaryDataConverter",
    "value.converter.delegate.converter.type": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.delegate.converter.type.schemas.enable": "false",
    "header.converter": "org.apache.kafka.connect.storage.StringConverter",
    transforms: "outbox",
    "transforms.outbox.type": "io.debezium.transforms.outbox.EventRouter",
    "transforms.outbox.predicate": "isOutbox",
    predicates: "isOutbox",
    "predicates.isOutbox.type": "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
    "predicates.isOutbox.pattern": ".*\\.pr_outbox",
    "transforms.outbox.route.topic.replacement": `${topicPrefix}\${routedByValue}`,
    "transforms.outbox.table.fields.additional.placement": "id:header:event-id,type:header:event-type,head:header:envelope",
    "transforms.outbox.table.op.invalid.behavior": "warn",
  };
}

/** As a regular expression that means the name itself. */
function escaped(name: string): string {
  return name.replaceAll(/[.*+?^${}()|[\]\\,]/g, "\\$&");
}
