import { postgres } from "postrider/postgres";
import type { PostgresOptions } from "postrider/postgres";

type Infra = ReturnType<typeof postgres>;
/** Of `postrider/postgres`, by what it gives. */
export type Transport = Infra["commands"];
/** The same. */
export type Store = ReturnType<Exclude<Infra["store"], "none">>;
type Sink = Parameters<Transport["consume"]>[1];
/** The same. */
export type Delivery = Parameters<Sink["deliver"]>[1][number];
/** The same. */
export type Outgoing = Parameters<Transport["send"]>[0][number];

/** Where the messages of these tests go. */
const DESTINATION = { name: "order.events", kind: "events", lanes: 8, isExternal: false } as const;

/** Who reads them. */
const SUBSCRIPTION = {
  service: "reader",
  destination: DESTINATION,
  types: undefined,
  where: {},
  prefetchCount: 200,
  prefetchBytes: 1 << 24,
  from: "earliest",
} as const;

/** One process' part in a test: a transport and a store in one schema, and a ledger that forbids nothing. */
export class World implements AsyncDisposable {
  readonly transport: Transport;
  readonly store: Store;
  /** Messages that were handled here, as far as their commit was answered. */
  handled = 0;
  /** Codes of what failed where no caller waits. */
  readonly errors: string[] = [];
  readonly #name: string;
  readonly #running = new Map<string, Promise<void>>();

  constructor(name: string, options: PostgresOptions) {
    const infra = postgres(options);
    if (infra.store === "none") throw new Error("postgres has a store");
    this.#name = name;
    this.transport = infra.commands;
    this.store = infra.store("reader");
  }

  async open(): Promise<void> {
    await Promise.all([this.transport.open(), this.store.open()]);
    await this.transport.apply({ destinations: [DESTINATION], subscriptions: [SUBSCRIPTION] });
    const sql = "create table if not exists ledger (at bigint generated always as identity, id text, key text, process text)";
    await this.store.transaction(async (tx) => {
      await tx.run("select pg_advisory_xact_lock(7)");
      await tx.run(sql);
    });
  }

  /** Handles each message in one transaction with its settling; those of a key one after another, others beside each other. */
  async consume(): Promise<void> {
    await this.transport.consume(SUBSCRIPTION, {
      onAssigned: () => undefined,
      onRevoked: async (lane) =>
        void (await Promise.allSettled([...this.#running].filter(([key]) => key.startsWith(`${lane.number}/`)).map(([, run]) => run))),
      deliver: (lane, batch) => {
        for (const delivery of batch) this.#queue(`${lane.number}/${delivery.envelope?.partitionkey}`, delivery);
      },
      onError: ({ code }) => void this.errors.push(code),
    });
  }

  /** A message of a key. Ids of one key grow. */
  message(id: string, key: string): Outgoing {
    return {
      destination: DESTINATION.name,
      mayRepeat: false,
      headers: {},
      body: JSON.stringify({ id }),
      envelope: {
        id,
        source: "/test",
        type: "order.placed",
        kind: "event",
        contractversion: 1,
        time: "2026-01-01T00:00:00.000Z",
        partitionkey: key,
      },
    };
  }

  /** What is wrong with the ledger: an id that is missing, unknown or there twice, or a key whose order is broken. */
  async faults(ids: readonly string[]): Promise<readonly string[]> {
    const rows = await this.store.read.all<{ id: string; key: string }>("select id, key from ledger order by at");
    const counts = new Map<string, number>(ids.map((id) => [id, 0]));
    for (const { id } of rows) counts.set(id, (counts.get(id) ?? -100) + 1);
    const wrong = [...counts].filter(([, count]) => count !== 1).map(([id, count]) => `${id} was handled ${count} times`);
    for (const [key, of] of Map.groupBy(rows, ({ key: its }) => its))
      if (of.some(({ id }, at) => at > 0 && of[at - 1]!.id > id)) wrong.push(`${key} is out of order`);
    return wrong;
  }

  async ledgerCount(): Promise<number> {
    return Number((await this.store.read.get<{ count: unknown }>("select count(*) as count from ledger"))!.count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.transport.close();
    await this.store.close();
  }

  #queue(key: string, delivery: Delivery): void {
    const before = this.#running.get(key) ?? Promise.resolve();
    const run = before.then(() => this.#handle(delivery));
    this.#running.set(key, run);
  }

  /** Until it is done or not ours any more: what fails on the way is tried again, before any later one of its key. */
  async #handle(delivery: Delivery): Promise<void> {
    const { id, partitionkey = "" } = delivery.envelope!;
    for (;;) {
      try {
        await this.store.transaction(async (tx) => {
          await tx.run("insert into ledger (id, key, process) values (?, ?, ?)", id, partitionkey, this.#name);
          await this.transport.colocated!.settleIn(tx, delivery);
        });
        this.handled++;
        return;
      } catch (error) {
        const { code = String(error) } = error as { code?: string };
        if (code === "PR_LEASE_LOST" || code === "PR_STORE_CLOSED" || code === "PR_TRANSPORT_CLOSED") return;
        this.errors.push(code);
      }
    }
  }
}
