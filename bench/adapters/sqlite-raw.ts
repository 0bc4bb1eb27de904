// What the SQLite adapter itself costs, without the pipeline above it: send → hand over → settle through the ports, messages of 1 KiB.
//   node --conditions=@postrider/source bench/adapters/sqlite-raw.ts [case] [seconds] [folder]
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { sqlite } from "postrider/sqlite";
import type { SqliteOptions } from "postrider/sqlite";

type Infra = ReturnType<typeof sqlite>;
type Transport = Infra["commands"];
type Store = ReturnType<Exclude<Infra["store"], "none">>;
type Outgoing = Parameters<Transport["send"]>[0][number];
type Delivery = Parameters<Parameters<Transport["consume"]>[1]["deliver"]>[1][number];

interface Bench {
  readonly transport: Transport;
  readonly store: Store;
  readonly file: string;
}

type Settle = (bench: Bench, delivery: Delivery) => void;

const DESTINATION = { name: "order.events", kind: "events", lanes: 8, isExternal: false } as const;
const BODY = bodyOf(1024);
const SEND = { deadlineMs: 60_000 };

const ack: Settle = (_, delivery) => void delivery.ack();

/** As a handler without effects is settled: in a transaction of its own that writes nothing else. */
const settleIn: Settle = ({ transport, store }, delivery) => {
  void store.transaction((transaction) => transport.colocated!.settleIn(transaction, delivery));
};

/** As a handler with one business row. */
const withRow: Settle = ({ transport, store }, delivery) => {
  void store.transaction((transaction) => {
    void transaction.run(
      "insert into business values (?, ?)",
      delivery.envelope!.id,
      "a small row of the business, sixty bytes or so, as text",
    );
    return transport.colocated!.settleIn(transaction, delivery);
  });
};

/** As a handler with one business row that waits for it, and its inbox row. */
const withInbox: Settle = ({ transport, store }, delivery) => {
  void store.transaction(async (transaction) => {
    void transaction.inbox.record({ handler: "order.placed", messageId: delivery.envelope!.id, bodyHash: "0123456789abcdef" });
    await transaction.run(
      "insert into business values (?, ?)",
      delivery.envelope!.id,
      "a small row of the business, sixty bytes or so, as text",
    );
    return transport.colocated!.settleIn(transaction, delivery);
  });
};

const CASES: Readonly<Record<string, (seconds: number) => Promise<object>>> = {
  "window 100, ack": (seconds) => flow({ window: 100, seconds, settle: ack }),
  "window 1000, ack": (seconds) => flow({ window: 1000, seconds, settle: ack }),
  "window 100, settleIn": (seconds) => flow({ window: 100, seconds, settle: settleIn }),
  "window 1000, settleIn": (seconds) => flow({ window: 1000, seconds, settle: settleIn }),
  "window 1000, one row": (seconds) => flow({ window: 1000, seconds, settle: withRow }),
  "window 1000, one row awaited and inbox": (seconds) => flow({ window: 1000, seconds, settle: withInbox }),
  "window 1000, ack, not synced": (seconds) => flow({ window: 1000, seconds, settle: ack, options: { unsafeNoSync: true } }),
  "drain a backlog of 50 000 for each second": (seconds) => drain(seconds * 50_000, settleIn),
  "500 per second, one row": (seconds) => paced({ perSecond: 500, seconds, settle: withRow }),
};

let sent = 0;

async function flow(options: {
  readonly window: number;
  readonly seconds: number;
  readonly settle: Settle;
  readonly options?: SqliteOptions;
}): Promise<object> {
  return within(options.options, async (bench) => {
    let handled = 0;
    const consumption = await consume(bench, (delivery) => {
      handled++;
      options.settle(bench, delivery);
    });
    const meter = measure();
    const endMs = performance.now() + options.seconds * 1000;
    const producer = async (): Promise<void> => {
      while (performance.now() < endMs) await bench.transport.send([message()], SEND);
    };
    await Promise.all(Array.from({ length: options.window }, producer));
    const result = meter(handled);
    const sizes = { fileMiB: await mib(bench.file), walMiB: await mib(`${bench.file}-wal`) };
    await consumption.close();
    return { ...result, ...sizes };
  });
}

async function drain(count: number, settle: Settle): Promise<object> {
  return within(undefined, async (bench) => {
    for (let at = 0; at < count; at += 1000) await bench.transport.send(Array.from({ length: 1000 }, message), SEND);
    const meter = measure();
    let handled = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    const consumption = await consume(bench, (delivery) => {
      settle(bench, delivery);
      if (++handled === count) resolve();
    });
    await promise;
    const result = meter(handled);
    await consumption.close();
    return result;
  });
}

async function paced(options: { readonly perSecond: number; readonly seconds: number; readonly settle: Settle }): Promise<object> {
  return within(undefined, async (bench) => {
    const startedMs = new Map<string, number>();
    const latenciesMs: number[] = [];
    const sendsMs: number[] = [];
    const consumption = await consume(bench, (delivery) => {
      latenciesMs.push(performance.now() - startedMs.get(delivery.envelope!.id)!);
      options.settle(bench, delivery);
    });
    const meter = measure();
    const beginMs = performance.now();
    const total = options.perSecond * options.seconds;
    for (let count = 0; count < total;) {
      const dueCount = Math.min(total, Math.floor(((performance.now() - beginMs) * options.perSecond) / 1000));
      for (; count < dueCount; count++) {
        const outgoing = message();
        const nowMs = performance.now();
        startedMs.set(outgoing.envelope.id, nowMs);
        void bench.transport.send([outgoing], SEND).then(() => sendsMs.push(performance.now() - nowMs));
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const result = meter(latenciesMs.length);
    await consumption.close();
    return { ...result, handedOverMs: percentiles(latenciesMs), sendMs: percentiles(sendsMs) };
  });
}

async function within(options: SqliteOptions | undefined, run: (bench: Bench) => Promise<object>): Promise<object> {
  const folder = await mkdtemp(join(process.argv[4] ?? tmpdir(), "postrider-bench-"));
  const file = join(folder, "app.db");
  const infra = sqlite(file, options);
  if (infra.store === "none") throw new Error("sqlite has a store");
  const bench = { transport: infra.commands, store: infra.store("bench"), file };
  try {
    await bench.transport.open();
    await bench.store.open();
    await bench.transport.apply({ destinations: [DESTINATION], subscriptions: [subscription()] });
    await bench.store.transaction((transaction) => transaction.run("create table business (id text, note text)"));
    return await run(bench);
  } finally {
    await bench.transport.close();
    await bench.store.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function consume({ transport }: Bench, onDelivery: (delivery: Delivery) => void): ReturnType<Transport["consume"]> {
  return transport.consume(subscription(), {
    onAssigned: () => undefined,
    onRevoked: () => undefined,
    deliver: (_, batch) => {
      for (const delivery of batch) onDelivery(delivery);
    },
    onError: (error) => {
      throw error;
    },
  });
}

function subscription(): Parameters<Transport["consume"]>[0] {
  return {
    service: "bench",
    destination: DESTINATION,
    types: ["order.placed"],
    where: {},
    prefetchCount: 1000,
    prefetchBytes: 1 << 24,
    from: "earliest",
  };
}

function message(): Outgoing {
  const count = ++sent;
  const id = `0198c000-0000-7000-8000-${count.toString(16).padStart(12, "0")}`;
  const envelope = {
    id,
    source: "/bench",
    type: "order.placed",
    kind: "event",
    contractversion: 1,
    time: "2026-01-01T00:00:00.000Z",
    partitionkey: `order-${count % 5000}`,
    correlationid: id,
    conversationid: id,
  } as const;
  return { envelope, headers: {}, body: BODY, destination: DESTINATION.name, mayRepeat: false };
}

function bodyOf(bytes: number): string {
  const order = { orderId: "o-1", customerId: "c-1", items: [{ sku: "s-1", quantity: 2, price: 1000 }], note: "" };
  const rest = bytes - JSON.stringify(order).length;
  return JSON.stringify({ ...order, note: "x".repeat(rest) });
}

function measure(): (count: number) => object {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const startMs = performance.now();
  const cpu = process.threadCpuUsage();
  return (count) => {
    const seconds = (performance.now() - startMs) / 1000;
    const { user, system } = process.threadCpuUsage(cpu);
    delay.disable();
    return {
      perSecond: Math.round(count / seconds),
      mainThreadUsPerMessage: round((user + system) / count),
      loopDelayMs: { p50: round(delay.percentile(50) / 1e6), p99: round(delay.percentile(99) / 1e6), max: round(delay.max / 1e6) },
      rssMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
    };
  };
}

function percentiles(values: readonly number[]): object {
  const sorted = values.toSorted((left, right) => left - right);
  const at = (share: number): number => round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

const round = (value: number): number => Math.round(value * 100) / 100;

const mib = async (file: string): Promise<number> => round((await stat(file)).size / 2 ** 20);

const wanted = process.argv[2];
for (const [name, run] of Object.entries(CASES)) {
  if (wanted === undefined || name.includes(wanted)) console.log(name, JSON.stringify(await run(Number(process.argv[3] ?? 3))));
}
