import type { Case, CaseContext } from "../../case.ts";
import { durations, paced } from "../../cases/throughput.ts";
import { flood, type Carrier } from "../../load.ts";
import { Stopwatch, type Metrics } from "../../measure.ts";
import { virtualHost } from "../../servers/rabbitmq.ts";
import type { MessageKind, RabbitPeer, Writer } from "./peer.ts";
import type { PostriderOnRabbit } from "./postrider.ts";

const WINDOW = 100; // sends in flight, for all alike
const PACED_PER_SECOND = 500;
const DRAINED = 60_000;
const WARM_UP = 10_000;
const PRELOAD_WINDOW = 500;

type Measure = (peer: RabbitPeer, url: string, context: CaseContext) => Promise<Metrics>;

interface Rival {
  readonly name: string;
  readonly title: string;
  readonly open: (kind: MessageKind) => Promise<RabbitPeer>;
}

// A rival's client is loaded by its own cases only: it would count as memory of all others.
const RIVALS: readonly Rival[] = [
  { name: "raw", title: "amqplib by hand", open: async (kind) => (await import("./by-hand.ts")).byHand(kind, "each") },
  {
    name: "raw-merged",
    title: "amqplib by hand, acks merged",
    open: async (kind) => (await import("./by-hand.ts")).byHand(kind, "merged"),
  },
  { name: "postrider", title: "Postrider, no store", open: postrider({ isChecked: false }) },
  { name: "postrider-zod", title: "Postrider, no store, every field checked on both sides", open: postrider({ isChecked: true }) },
  { name: "postrider-lane", title: "Postrider, one lane", open: postrider({ isChecked: false, lanes: 1 }) },
  { name: "nestjs", title: "NestJS 12, prefetch 50", open: async () => (await import("./nestjs.ts")).nestjs(50) },
  { name: "nestjs-1000", title: "NestJS 12, prefetch 1000", open: async () => (await import("./nestjs.ts")).nestjs(1000) },
  { name: "nestjs-defaults", title: "NestJS 12 as it comes", open: async () => (await import("./nestjs.ts")).nestjs(undefined) },
];

/** Postrider on RabbitMQ beside amqplib by hand and NestJS: writing, reading a backlog, both at once, and latency at a slow pace. */
export const rabbitmqCases: readonly Case[] = [
  ...group("publishing", "publish", "event", ["raw", "postrider", "postrider-zod", "postrider-lane", "nestjs", "nestjs-defaults"], write),
  ...group("sending", "send", "command", ["raw", "postrider"], write),
  ...group(
    "reading",
    "read",
    "event",
    ["raw", "raw-merged", "postrider", "postrider-zod", "postrider-lane", "nestjs", "nestjs-1000", "nestjs-defaults"],
    drain,
  ),
  ...group(
    "both at once",
    "both",
    "event",
    ["raw", "raw-merged", "postrider", "postrider-zod", "postrider-lane", "nestjs", "nestjs-1000", "nestjs-defaults"],
    both,
  ),
  ...group("commands both at once", "both-commands", "command", ["raw", "postrider"], both),
  ...group("latency", "latency", "event", ["raw", "postrider", "nestjs"], pacedBoth),
];

function postrider(options: PostriderOnRabbit): Rival["open"] {
  return async (kind) => (await import("./postrider.ts")).postriderOn(kind, options);
}

function group(what: string, prefix: string, kind: MessageKind, names: readonly string[], measure: Measure): readonly Case[] {
  return RIVALS.filter(({ name }) => names.includes(name)).map(({ name, title, open }) => ({
    name: `rabbitmq-${prefix}-${name}`,
    group: `rabbitmq ${what}`,
    title,
    baseline: `rabbitmq-${prefix}-raw`,
    shown: measure === pacedBoth ? ["p99Ms", "p50Ms", "maxMs", "cpuMicros"] : ["messagesPerSecond", "cpuMicros"],
    server: "rabbitmq",
    run: async (context) => {
      await using host = await virtualHost(context.servers.rabbitmq!);
      return await measure(await open(kind), host.url, context);
    },
  }));
}

/** Writes only: a message counts when it is confirmed. */
async function write(peer: RabbitPeer, url: string, context: CaseContext): Promise<Metrics> {
  await using writer = await peer.openWriter(url);
  const carrier: Carrier = {
    onHandled: () => {},
    send: async (n) => {
      await writer.send(n);
      carrier.onHandled(n);
    },
  };
  return await flood(carrier, { window: WINDOW, ...durations(context) });
}

/** Writes and reads in one process. */
async function both(peer: RabbitPeer, url: string, context: CaseContext): Promise<Metrics> {
  return withBoth(peer, url, (carrier) => flood(carrier, { window: WINDOW, ...durations(context) }));
}

async function pacedBoth(peer: RabbitPeer, url: string, context: CaseContext): Promise<Metrics> {
  return withBoth(peer, url, (carrier) => paced(carrier, PACED_PER_SECOND, context));
}

async function withBoth(peer: RabbitPeer, url: string, measure: (carrier: Carrier) => Promise<Metrics>): Promise<Metrics> {
  await using writer = await peer.openWriter(url);
  const carrier: Carrier = { onHandled: () => {}, send: writer.send };
  const reader = await peer.openReader(url, (n) => carrier.onHandled(n));
  try {
    return await measure(carrier);
  } finally {
    await reader[Symbol.asyncDispose]();
  }
}

/** Reads a backlog that was there before, by code that has read one already. The clock runs from the first message on. */
async function drain(peer: RabbitPeer, url: string, context: CaseContext): Promise<Metrics> {
  await using writer = await peer.openWriter(url);
  const scale = context.isQuick ? 100 : 1;
  await drainOnce(peer, url, { writer, from: 0, count: WARM_UP / scale });
  return await drainOnce(peer, url, { writer, from: WARM_UP / scale, count: DRAINED / scale });
}

async function drainOnce(
  peer: RabbitPeer,
  url: string,
  { writer, from, count }: { readonly writer: Writer; readonly from: number; readonly count: number },
): Promise<Metrics> {
  let next = from;
  const lane = async (): Promise<void> => {
    while (next < from + count) await writer.send(next++);
  };
  await Promise.all(Array.from({ length: PRELOAD_WINDOW }, lane));
  const { promise: isDone, resolve } = Promise.withResolvers<Metrics>();
  let [handled, watch] = [0, new Stopwatch()];
  const onHandled = (): void => {
    if (handled++ === 0) watch = new Stopwatch();
    if (handled === count)
      resolve({ messagesPerSecond: (count / watch.elapsedMs()) * 1000, cpuMicros: watch.cpuMicros() / count, messages: count });
  };
  const reader = await peer.openReader(url, onHandled);
  try {
    return await isDone;
  } finally {
    await reader[Symbol.asyncDispose]();
  }
}
