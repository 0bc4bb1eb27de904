import type { Case, CaseContext, CaseResult } from "../../case.ts";
import { durations, paced } from "../../cases/throughput.ts";
import { flood, sendOnly, type Carrier } from "../../load.ts";
import type { Metrics } from "../../measure.ts";
import type { KafkaPeer } from "./peer.ts";
import { drain } from "./drain.ts";
import { springFlood, springMissing } from "./spring.ts";

const WINDOWS = [100, 1000];
const SENDS_WINDOW = 1000;
const REQUESTS_WINDOW = 50;
const PACED_PER_SECOND = 500;
const SPRING_LIMIT_SECONDS = 400; // its first run fetches it
const RATE = ["messagesPerSecond", "cpuMicros"];

interface Rival {
  readonly name: string;
  readonly title: string;
  readonly open: (url: string) => Promise<KafkaPeer>;
}

// A rival's client is loaded by its own cases only: it would count as memory of all others.
const RIVALS: readonly Rival[] = [
  {
    name: "raw",
    title: "@platformatic/kafka, sends merged by hand",
    open: async (url) => new (await import("./raw.ts")).RawKafka(url),
  },
  { name: "postrider", title: "Postrider, no store", open: postrider(false) },
  { name: "postrider-zod", title: "Postrider, no store, every field checked on both sides", open: postrider(true) },
  { name: "nest", title: "NestJS 12 on kafkajs", open: async (url) => new (await import("./nest.ts")).NestKafka(url) },
];

/** Postrider on Kafka beside the client that it stands on, and beside frameworks. */
export const kafkaCases: readonly Case[] = [
  ...WINDOWS.flatMap((window) => [
    ...group(`kafka both ${String(window)}`, `kafka-both-${String(window)}`, RATE, both(window)),
    springCase(window),
  ]),
  ...group("kafka sends", "kafka-sends", RATE, sends),
  ...group("kafka drain", "kafka-drain", ["messagesPerSecond", "cpuMicros", "peakRssMiB"], drain),
  ...group("kafka latency", "kafka-latency", ["p50Ms", "p99Ms", "maxMs", "cpuMicros"], latency),
  ...group("kafka requests", "kafka-requests", RATE, requests),
];

/** Spring runs in a process of its own, so it floods by itself. */
function springCase(window: number): Case {
  const prefix = `kafka-both-${String(window)}`;
  return {
    name: `${prefix}-spring`,
    group: `kafka both ${String(window)}`,
    title: "Spring for Kafka 4.1, record listener, commits after each poll",
    baseline: `${prefix}-raw`,
    shown: RATE,
    server: "kafka",
    missing: springMissing,
    limitSeconds: SPRING_LIMIT_SECONDS,
    run: (context) => springFlood(context.servers.kafka!, window, context),
  };
}

type Measure = (peer: KafkaPeer, context: CaseContext) => Promise<Metrics | CaseResult>;

function group(name: string, prefix: string, shown: readonly string[], measure: Measure): readonly Case[] {
  return RIVALS.map((rival) => ({
    name: `${prefix}-${rival.name}`,
    group: name,
    title: rival.title,
    baseline: `${prefix}-raw`,
    shown,
    server: "kafka",
    run: async (context) => {
      await using peer = await rival.open(context.servers.kafka!);
      await peer.prepare();
      return await measure(peer, context);
    },
  }));
}

function postrider(isChecked: boolean): Rival["open"] {
  return async (url) => new (await import("./postrider.ts")).PostriderKafka(url, { isChecked });
}

function both(window: number): Measure {
  return async (peer, context) => flood(await carrierOf(peer), { window, ...durations(context) });
}

async function sends(peer: KafkaPeer, context: CaseContext): Promise<Metrics> {
  return sendOnly(await peer.openSender(), { window: SENDS_WINDOW, ...durations(context) });
}

async function latency(peer: KafkaPeer, context: CaseContext): Promise<Metrics> {
  return paced(await carrierOf(peer), PACED_PER_SECOND, context);
}

async function requests(peer: KafkaPeer, context: CaseContext): Promise<Metrics> {
  await peer.openReader(() => {});
  return sendOnly(await peer.openRequester!(), { window: REQUESTS_WINDOW, ...durations(context) });
}

async function carrierOf(peer: KafkaPeer): Promise<Carrier> {
  const carrier: Carrier = { onHandled: () => {}, send: () => Promise.resolve() };
  await peer.openReader((n) => carrier.onHandled(n));
  carrier.send = await peer.openSender();
  return carrier;
}
