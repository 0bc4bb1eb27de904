import { Client } from "pg";
import { createBus, event, service, type Bus } from "postrider";
import { kafka } from "postrider/kafka";
import { postgresStores } from "postrider/postgres";
import { setTimeout as sleep } from "node:timers/promises";
import type { CaseContext } from "../case.ts";
import { orders, OrderSchema } from "../order.ts";
import { freshDatabase, type FreshDatabase } from "../servers/postgres.ts";

/** How committed rows are found. */
export type Way = "polling" | "replication";

type Store = ReturnType<ReturnType<typeof postgresStores>>;
type Transport = ReturnType<typeof kafka>;
type Outgoing = Parameters<Transport["send"]>[0][number];

const SENDER = "storefront";
const PARTITIONS = 8; // the default number of lanes
const FILL_ROWS = 1000;
const FILLS_AT_ONCE = 3;
const POLL_MS = 20;
const STALLED_MS = 30_000;

/** An outbox on PostgreSQL and its relay to Kafka, in this process, which tells of each message that Kafka has acknowledged. */
export class RelayedOutbox implements AsyncDisposable {
  /** Messages that Kafka has. */
  acknowledged = 0;
  onAcknowledged: (n: number) => void = () => {};
  readonly #database: FreshDatabase;
  readonly #broker: string;
  readonly #store: Store;
  readonly #order = orders();
  readonly #contract = event(`relay${String(process.pid)}.placed`, { schema: OrderSchema, key: (order) => order.orderId });
  #snapshot: Client | undefined;
  #template: Outgoing | undefined;
  #bus: Bus | undefined;
  #filled = 0;

  private constructor(database: FreshDatabase, broker: string, way: Way) {
    this.#database = database;
    this.#broker = broker;
    this.#store = postgresStores({ url: database.url, outbox: { by: way } })(SENDER);
  }

  /** Opens it with its relay running, and found by `way`. */
  static async open({ servers }: CaseContext, way: Way): Promise<RelayedOutbox> {
    const outbox = new RelayedOutbox(await freshDatabase(servers.postgres!), new URL(servers.kafka!).host, way);
    await outbox.start();
    await outbox.send(outbox.#filled++);
    await outbox.reach(1);
    if (way === "replication") await until(async () => (await outbox.#store.outbox.status!())?.by === "replication");
    return outbox;
  }

  /** Messages that were written. */
  get written(): number {
    return this.#filled;
  }

  /** Starts what carries them. */
  async start(): Promise<void> {
    const transport = this.#counting(kafka({ brokers: [this.#broker] }));
    const services = [service(SENDER, () => {}), service("reader", (on) => on(this.#contract, () => {}))];
    const store = (): Store => this.#store;
    this.#bus = createBus({ services, run: [SENDER], commands: transport, events: transport, store, lanes: PARTITIONS });
    await this.#bus.start();
  }

  /** Stops it: what is written from now on waits. */
  async stop(): Promise<void> {
    await this.#bus?.stop();
    this.#bus = undefined;
  }

  /** Sends the n-th order as a handler or an HTTP request would; settles with its commit. */
  send(n: number): Promise<unknown> {
    return this.#bus!.as(SENDER).publish(this.#contract, this.#order(n));
  }

  /** Writes rows as those that were sent, many to a commit. */
  async fill(rows: number): Promise<void> {
    const isRunning = this.#bus !== undefined;
    if (!isRunning) await this.#store.open();
    const end = this.#filled + rows;
    const lane = async (): Promise<void> => {
      while (this.#filled < end) {
        const from = this.#filled;
        this.#filled = Math.min(end, from + FILL_ROWS);
        const messages = Array.from({ length: this.#filled - from }, (_, at) => this.#message(from + at));
        await this.#store.transaction((transaction) => transaction.outbox.append(messages));
      }
    };
    await Promise.all(Array.from({ length: FILLS_AT_ONCE }, lane));
    if (!isRunning) await this.#store.close();
  }

  /** Settles once so many messages were acknowledged; fails when no more come. */
  async reach(count: number): Promise<void> {
    let [before, changedMs] = [-1, 0];
    await until(() => {
      if (this.acknowledged !== before) [before, changedMs] = [this.acknowledged, performance.now()];
      else if (performance.now() - changedMs > STALLED_MS) throw new Error(`${String(before)} of ${String(count)} were sent, then none`);
      return Promise.resolve(this.acknowledged >= count);
    });
  }

  /** From now on nothing that is removed can be vacuumed. */
  async holdSnapshot(): Promise<void> {
    this.#snapshot = new Client({ connectionString: this.#database.url });
    this.#snapshot.on("error", () => {});
    await this.#snapshot.connect();
    await this.#snapshot.query("begin isolation level repeatable read");
    await this.#snapshot.query("select count(*) from pr_outbox");
  }

  /** Rows that are left. */
  depth(): Promise<number> {
    return this.#store.outbox.depth();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#snapshot?.end();
    await this.#database.drop();
  }

  #message(n: number): Outgoing {
    const [template, order] = [this.#template!, this.#order(n)];
    const id = crypto.randomUUID().replace(/^.{18}/, template.envelope.id.slice(0, 18));
    const envelope = { ...template.envelope, id, correlationid: id, conversationid: id, partitionkey: order.orderId };
    return { ...template, envelope, body: JSON.stringify(order) };
  }

  #counting(transport: Transport): Transport {
    const send = transport.send.bind(transport);
    transport.send = async (batch, options) => {
      this.#template ??= batch[0];
      const outcomes = await send(batch, options);
      for (const [at, outcome] of outcomes.entries()) {
        if (outcome !== undefined) continue;
        this.acknowledged++;
        this.onAcknowledged(Number(batch[at]!.envelope.partitionkey!.slice(2)));
      }
      return outcomes;
    };
    return transport;
  }
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await sleep(POLL_MS);
}
