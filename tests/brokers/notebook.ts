import { randomUUID } from "node:crypto";
import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from "@platformatic/kafka";
import { connect } from "amqplib";
import { createConnection } from "mysql2/promise";
import { Client } from "pg";
import type { BrokerKind } from "./kinds.ts";

/** Keeps a note on a server, by that server's usual client: what the bench's own tests look for after a crash. */
export interface Notebook {
  /** Resolves when the note is durable. */
  readonly write: (url: string, note: string) => Promise<void>;
  /** The first note; rejects if the server does not answer within about that time, or is not whole again yet. */
  readonly read: (url: string, limitMs?: number) => Promise<string>;
}

const LIMIT_MS = 30_000;
const PLACE = "notes";

const postgres: Notebook = {
  write: (url, note) =>
    withPostgres(url, LIMIT_MS, async (client) => {
      await client.query(`create table if not exists ${PLACE} (id serial, note text)`);
      await client.query(`insert into ${PLACE} (note) values ($1)`, [note]);
    }),
  read: (url, limitMs = LIMIT_MS) =>
    withPostgres(url, limitMs, async (client) => {
      const { rows } = await client.query<{ note: string }>(`select note from ${PLACE} order by id limit 1`);
      return rows[0]!.note;
    }),
};

async function withPostgres<Result>(url: string, limitMs: number, work: (client: Client) => Promise<Result>): Promise<Result> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: limitMs, query_timeout: limitMs });
  client.on("error", () => undefined); // the work rejects as well
  try {
    await client.connect();
    return await work(client);
  } finally {
    void client.end().catch(() => undefined); // not waited for: a frozen server does not say farewell
  }
}

const mariadb: Notebook = {
  write: (url, note) =>
    withMariadb(url, LIMIT_MS, async (query) => {
      await query(`create table if not exists ${PLACE} (id int auto_increment primary key, note text)`);
      await query(`insert into ${PLACE} (note) values (?)`, [note]);
    }),
  read: (url, limitMs = LIMIT_MS) =>
    withMariadb(url, limitMs, async (query) => {
      const rows = (await query(`select note from ${PLACE} order by id limit 1`)) as readonly { note: string }[];
      return rows[0]!.note;
    }),
};

type Query = (sql: string, values?: readonly string[]) => Promise<unknown>;

async function withMariadb<Result>(url: string, limitMs: number, work: (query: Query) => Promise<Result>): Promise<Result> {
  const connection = await createConnection({ uri: url, connectTimeout: limitMs });
  connection.on("error", () => undefined); // the work rejects as well
  try {
    return await work(async (sql, values = []) => (await connection.query({ sql, values: [...values], timeout: limitMs }))[0]);
  } finally {
    connection.destroy();
  }
}

const rabbitmq: Notebook = {
  write: async (url, note) => {
    const connection = await connect(url, { timeout: LIMIT_MS });
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue(PLACE, { durable: true, arguments: { "x-queue-type": "quorum" } });
    channel.sendToQueue(PLACE, Buffer.from(note), { persistent: true });
    await channel.waitForConfirms();
    await connection.close();
  },
  read: async (url, limitMs = LIMIT_MS) => {
    const connection = await connect(url, { timeout: limitMs });
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    connection.on("error", reject);
    const channel = await connection.createChannel();
    channel.on("error", reject);
    // Consumed, not fetched: a queue that has just come back says for a moment that it is empty. Not acknowledged: the note stays.
    await Promise.race([promise, channel.consume(PLACE, (message) => message && resolve(message.content.toString()))]);
    const note = await promise;
    await connection.close();
    return note;
  },
};

const kafka: Notebook = {
  write: async (url, note) => {
    const options = { clientId: "notebook", bootstrapBrokers: [new URL(url).host], timeout: LIMIT_MS };
    const admin = new Admin(options);
    const producer = new Producer({ ...options, serializers: stringSerializers });
    if (!(await admin.listTopics()).includes(PLACE)) await admin.createTopics({ topics: [PLACE], partitions: 1, replicas: 1 });
    await producer.send({ messages: [{ topic: PLACE, key: "note", value: note }], acks: -1 });
    await Promise.all([admin.close(), producer.close()]);
  },
  read: async (url, limitMs = LIMIT_MS) => {
    const consumer = new Consumer({
      clientId: "notebook",
      groupId: randomUUID(), // of its own: it waits for nobody else of a group to leave
      bootstrapBrokers: [new URL(url).host],
      timeout: limitMs,
      connectTimeout: limitMs,
      requestTimeout: limitMs, // of the handshake, which does not heed `timeout`
      retries: 0,
      deserializers: stringDeserializers,
    });
    try {
      // The end first: a fetch at a place that is not there yet would wait.
      const offsets = await consumer.listOffsets({ topics: [PLACE] });
      if (offsets.get(PLACE)?.[0] === 0n) throw new Error("no notes");
      const stream = await consumer.consume({ topics: [PLACE], mode: "earliest", autocommit: false });
      for await (const message of stream) return message.value;
      throw new Error("the stream ended");
    } finally {
      void consumer.close(true).catch(() => undefined); // not waited for: a frozen server does not say farewell
    }
  },
};

export const NOTEBOOKS: Readonly<Record<BrokerKind, Notebook>> = { postgres, mariadb, rabbitmq, kafka };
