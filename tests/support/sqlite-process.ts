// One process of several on a SQLite file, told by its parent what to do. Every message handled is a row of a ledger that forbids nothing.
import { sqlite } from "postrider/sqlite";

/** What the process is told. */
export type SqliteOrder =
  | { readonly order: "open"; readonly file: string; readonly name: string; readonly leaseMs: number }
  | { readonly order: "consume"; readonly settles: boolean }
  | { readonly order: "send"; readonly count: number; readonly keys: number; readonly atOnce: number }
  | { readonly order: "answer"; readonly address: string }
  | { readonly order: "ask" }
  | { readonly order: "close" };

/** What it reports. */
export type SqliteReport =
  | { readonly report: "done"; readonly order: SqliteOrder["order"]; readonly ids?: readonly string[]; readonly address?: string }
  | { readonly report: "assigned" | "lost" | "rebalance" | "closing"; readonly lane: number }
  | { readonly report: "handled" | "refused"; readonly id: string }
  | { readonly report: "answered"; readonly body: string };

type Infra = ReturnType<typeof sqlite>;
type Transport = Infra["commands"];
type Store = ReturnType<Exclude<Infra["store"], "none">>;
type Delivery = Parameters<Parameters<Transport["consume"]>[1]["deliver"]>[1][number];

const DESTINATION = { name: "order.events", kind: "events", lanes: 8, isExternal: false } as const;

let name = "";
let transport: Transport;
let store: Store;
let sent = 0;

process.on("message", (order: SqliteOrder) => void obey(order));

async function obey(order: SqliteOrder): Promise<void> {
  switch (order.order) {
    case "open":
      await open(order);
      return tell({ report: "done", order: "open" });
    case "consume":
      await consume(order.settles);
      return tell({ report: "done", order: "consume" });
    case "send":
      return tell({ report: "done", order: "send", ids: await send(order) });
    case "ask": {
      const inbox = await transport.replyInbox(({ body }) => tell({ report: "answered", body: String(body) }));
      return tell({ report: "done", order: "ask", address: inbox.address });
    }
    case "answer":
      await transport.send([{ ...message(`${name}-answer`, "k"), destination: order.address, body: "the answer" }], { deadlineMs: 10_000 });
      return tell({ report: "done", order: "answer" });
    case "close":
      await transport.close();
      await store.close();
      tell({ report: "done", order: "close" });
      process.disconnect?.();
  }
}

async function open({ file, leaseMs, ...given }: SqliteOrder & { order: "open" }): Promise<void> {
  name = given.name;
  const infra = sqlite(file, { leaseMs });
  if (infra.store === "none") throw new Error("sqlite has a store");
  transport = infra.commands;
  store = infra.store("reader");
  await Promise.all([transport.open(), store.open()]);
  await transport.apply({ destinations: [DESTINATION], subscriptions: [subscription()] });
  await store.transaction((transaction) => transaction.run("create table if not exists ledger (id text, key text, process text)"));
}

async function consume(settles: boolean): Promise<void> {
  await transport.consume(subscription(), {
    onAssigned: ({ number }) => tell({ report: "assigned", lane: number }),
    onRevoked: ({ number }, reason) => tell({ report: reason, lane: number }),
    deliver: (_, batch) => (settles ? batch.forEach((delivery) => void handle(delivery)) : undefined),
    onError: (error) => {
      throw error;
    },
  });
}

async function handle(delivery: Delivery): Promise<void> {
  const { id, partitionkey = "" } = delivery.envelope!;
  try {
    await store.transaction(async (transaction) => {
      await transaction.run("insert into ledger values (?, ?, ?)", id, partitionkey, name);
      await transport.colocated!.settleIn(transaction, delivery);
    });
    tell({ report: "handled", id });
  } catch {
    tell({ report: "refused", id });
  }
}

async function send({ count, keys, atOnce }: SqliteOrder & { order: "send" }): Promise<readonly string[]> {
  const ids: string[] = [];
  const sender = async (): Promise<void> => {
    while (sent < count) {
      const number = sent++;
      const outgoing = message(`${name}-${String(number).padStart(6, "0")}`, `${name}-key-${number % keys}`);
      const [outcome] = await transport.send([outgoing], { deadlineMs: 30_000 });
      if (outcome === undefined) ids.push(outgoing.envelope.id);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, sender));
  return ids;
}

function message(id: string, key: string): Parameters<Transport["send"]>[0][number] {
  const envelope = {
    id,
    source: "/tests",
    type: "order.placed",
    kind: "event",
    contractversion: 1,
    time: "2026-01-01T00:00:00.000Z",
    partitionkey: key,
  } as const;
  return { envelope, headers: {}, body: JSON.stringify({ id, rest: "x".repeat(500) }), destination: DESTINATION.name, mayRepeat: false };
}

function subscription(): Parameters<Transport["consume"]>[0] {
  return {
    service: "reader",
    destination: DESTINATION,
    types: ["order.placed"],
    where: {},
    prefetchCount: 200,
    prefetchBytes: 1 << 22,
    from: "earliest",
  };
}

function tell(report: SqliteReport): void {
  process.send?.(report);
}
