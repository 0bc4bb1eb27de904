import type { Case, CaseContext } from "../case.ts";
import { durations, paced } from "../cases/throughput.ts";
import { flood } from "../load.ts";
import type { Metrics } from "../measure.ts";
import { commandCarrier, type OpenCarrier } from "../postrider.ts";
import { PEER_CONCURRENCY } from "./concurrency.ts";

/** Sends in flight, for all alike. */
const WINDOW = 100;

const PACED_PER_SECOND = 500;

interface Rival {
  readonly name: string;
  readonly title: string;
  readonly server?: NonNullable<Case["server"]>;
  readonly open: (context: CaseContext) => Promise<OpenCarrier>;
}

// A rival's client is loaded by its own cases only: it would count as memory of all others.
const bullmq = async (url: string): Promise<OpenCarrier> => (await import("./bullmq.ts")).bullmqCarrier(url);

const RIVALS: readonly Rival[] = [
  {
    name: "postrider",
    title: "Postrider, embedded, synced",
    open: ({ folder }) => commandCarrier({ on: "sqlite", folder, service: { concurrency: PEER_CONCURRENCY } }),
  },
  { name: "bullmq", title: "BullMQ 6, Redis in memory", server: "redis", open: ({ servers }) => bullmq(servers.redis!) },
  {
    name: "bullmq-aof",
    title: "BullMQ 6, Redis, AOF every second",
    server: "redisAof",
    open: ({ servers }) => bullmq(servers.redisAof!),
  },
  {
    name: "pg-boss",
    title: "pg-boss 12, PostgreSQL, NOTIFY",
    server: "postgres",
    open: async ({ servers }) => (await import("./pg-boss.ts")).pgBossCarrier(servers.postgres!),
  },
  {
    name: "graphile",
    title: "graphile-worker 0.18, PostgreSQL, tuned",
    server: "postgres",
    open: async ({ servers }) => (await import("./graphile-worker.ts")).graphileCarrier(servers.postgres!),
  },
];

/** The same work by Postrider and by others, with the same window and concurrency, in one run. */
export const peerCases: readonly Case[] = [
  ...RIVALS.map((rival) => caseOf(rival, "peers", ["messagesPerSecond", "cpuMicros"], floodRival)),
  ...RIVALS.map((rival) =>
    caseOf(rival, "peers' latency", ["p50Ms", "p99Ms", "maxMs"], (carrier, context) => paced(carrier, PACED_PER_SECOND, context)),
  ),
];

function caseOf(
  { name, title, server, open }: Rival,
  group: string,
  shown: readonly string[],
  measure: (carrier: OpenCarrier, context: CaseContext) => Promise<Metrics>,
): Case {
  const prefix = group === "peers" ? "peer" : "peer-latency";
  return {
    name: `${prefix}-${name}`,
    group,
    title,
    shown,
    baseline: `${prefix}-postrider`,
    ...(server !== undefined && { server }),
    run: async (context) => {
      await using carrier = await open(context);
      return await measure(carrier, context);
    },
  };
}

function floodRival(carrier: OpenCarrier, context: CaseContext): Promise<Metrics> {
  return flood(carrier, { window: WINDOW, ...durations(context) });
}
