import type { Case, CaseContext } from "../case.ts";
import { durations, paced } from "../cases/throughput.ts";
import { flood } from "../load.ts";
import type { Metrics } from "../measure.ts";
import { commandCarrier, type OpenCarrier, type PostriderOptions } from "../postrider.ts";
import { PEER_CONCURRENCY } from "./concurrency.ts";
import { backlogByHand, backlogOfPostrider } from "./postgres-backlog.ts";

/** Sends in flight, for all alike. */
const WINDOW = 100;
const PACED_PER_SECOND = 500;
const HAND_CONNECTIONS = 8; // of ten: one reads, one writes

const RATE = ["messagesPerSecond", "cpuMicros"];

type Open = (url: string, context: CaseContext) => Promise<OpenCarrier>;

// A rival's client is loaded by its own cases only: it would count as memory of all others.
const byHand =
  (transactionsAtOnce: number): Open =>
  async (url) =>
    (await import("./postgres-by-hand.ts")).postgresByHand(url, { transactionsAtOnce });

interface Rival {
  readonly name: string;
  readonly title: string;
  readonly open: Open;
}

const QUEUES: readonly Rival[] = [
  {
    name: "hand",
    title: "written by hand: one reader, one writer, a cursor",
    open: byHand(0),
  },
  {
    name: "skip-locked",
    title: "written by hand: four workers, SKIP LOCKED",
    open: async (url) => (await import("./postgres-skip-locked.ts")).skipLockedCarrier(url),
  },
  { name: "postrider", title: "Postrider on PostgreSQL, with its store", open: postrider({}) },
  { name: "postrider-none", title: 'Postrider on PostgreSQL, store: "none"', open: postrider({ isStoreless: true }) },
  { name: "pg-boss", title: "pg-boss 12, NOTIFY", open: async (url) => (await import("./pg-boss.ts")).pgBossCarrier(url) },
  {
    name: "graphile",
    title: "graphile-worker 0.18, tuned",
    open: async (url) => (await import("./graphile-worker.ts")).graphileCarrier(url),
  },
];

const ROWS: readonly Rival[] = [
  {
    name: "hand",
    title: "written by hand: inbox and business row, a transaction each",
    open: byHand(HAND_CONNECTIONS),
  },
  { name: "postrider", title: "Postrider: business row, once by position", open: postrider({ withRow: true }) },
  {
    name: "postrider-inbox",
    title: "Postrider: inbox and business row",
    open: postrider({ withRow: true, service: { inboxAlways: true, concurrency: PEER_CONCURRENCY } }),
  },
];

const BACKLOGS: readonly Omit<Case, "group" | "server" | "baseline">[] = [
  {
    name: "pg-backlog-hand",
    title: "written by hand: inbox and business row, a transaction each",
    shown: RATE,
    run: backlogByHand(HAND_CONNECTIONS),
  },
  { name: "pg-backlog-postrider", title: "Postrider: business row, once by position", shown: RATE, run: backlogOfPostrider({}) },
  {
    name: "pg-backlog-postrider-inbox",
    title: "Postrider: inbox and business row",
    shown: RATE,
    run: backlogOfPostrider({ inboxAlways: true }),
  },
];

/** Postrider as a queue on PostgreSQL beside others, and beside what one would write by hand; by default the private server of the run. */
export const postgresCases: readonly Case[] = [
  ...QUEUES.map((rival) => caseOf(rival, "postgres queue", "pg-queue", floodRival)),
  ...QUEUES.map((rival) => caseOf(rival, "postgres queue latency", "pg-queue-latency", paceRival)),
  ...ROWS.map((rival) => caseOf(rival, "postgres rows", "pg-rows", floodRival)),
  ...ROWS.map((rival) => caseOf(rival, "postgres rows latency", "pg-rows-latency", paceRival)),
  ...BACKLOGS.map((each) => ({ ...each, group: "postgres rows backlog", server: "postgres" as const, baseline: "pg-backlog-hand" })),
];

function caseOf(
  { name, title, open }: Rival,
  group: string,
  prefix: string,
  measure: (carrier: OpenCarrier, context: CaseContext) => Promise<Metrics>,
): Case {
  return {
    name: `${prefix}-${name}`,
    group,
    title,
    baseline: `${prefix}-hand`,
    shown: group.endsWith("latency") ? ["p50Ms", "p99Ms", "maxMs"] : RATE,
    server: "postgres",
    run: async (context) => {
      await using carrier = await open(context.servers.postgres!, context);
      return await measure(carrier, context);
    },
  };
}

function postrider(options: Partial<PostriderOptions>): Open {
  return async (url, { folder }) => {
    const { freshDatabase } = await import("../servers/postgres.ts");
    const database = await freshDatabase(url);
    const carrier = await commandCarrier({
      on: "postgres",
      url: database.url,
      folder,
      service: { concurrency: PEER_CONCURRENCY },
      ...options,
    });
    const close = carrier[Symbol.asyncDispose].bind(carrier);
    return Object.assign(carrier, {
      [Symbol.asyncDispose]: async () => {
        await close();
        await database.drop();
      },
    });
  };
}

function floodRival(carrier: OpenCarrier, context: CaseContext): Promise<Metrics> {
  return flood(carrier, { window: WINDOW, ...durations(context) });
}

function paceRival(carrier: OpenCarrier, context: CaseContext): Promise<Metrics> {
  return paced(carrier, PACED_PER_SECOND, context);
}
