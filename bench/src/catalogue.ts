import type { Case } from "./case.ts";
import { backlog } from "./cases/backlog.ts";
import { jsonOnly, primitives, stages } from "./cases/stages.ts";
import { steady } from "./cases/steady.ts";
import { fanOut, latency, loopDelay, throughput } from "./cases/throughput.ts";
import { kafkaCases } from "./peers/kafka/cases.ts";
import { peerCases } from "./peers/cases.ts";
import { postgresCases } from "./peers/postgres.ts";
import { rabbitmqCases } from "./peers/rabbitmq/cases.ts";
import { relayCases } from "./relay/cases.ts";

const RATE = ["messagesPerSecond", "cpuMicros"];
const LATENCY = ["p50Ms", "p99Ms", "maxMs"];
const LOOP = ["loopDelayP99Ms", "loopDelayMaxMs", "idleLoopDelayP99Ms", "messagesPerSecond"];
const DRAIN = ["messagesPerSecond", "peakRssMiB", "startRssMiB", "fileMiB", "fileBytesPerMessage", "handled"];

const ROW = { on: "sqlite", withRow: true } as const;
const ALWAYS = { service: { inboxAlways: true } };

const throughputCases: readonly Case[] = [
  { name: "embedded-100", title: "embedded, synced, 100 sends in flight", run: throughput({ on: "sqlite" }, 100) },
  { name: "embedded-1000", title: "embedded, synced, 1000 sends in flight", run: throughput({ on: "sqlite" }, 1000) },
  { name: "embedded-row-100", title: "… and a business row, once by position, 100", run: throughput(ROW, 100) },
  { name: "embedded-row-1000", title: "… and a business row, once by position, 1000", run: throughput(ROW, 1000) },
  { name: "embedded-inbox-100", title: "embedded, remembered by id too, 100", run: throughput({ on: "sqlite", ...ALWAYS }, 100) },
  { name: "embedded-row-inbox-100", title: "… and a business row, by id too, 100", run: throughput({ ...ROW, ...ALWAYS }, 100) },
  { name: "memory", title: "memory adapter, 100", run: throughput({ on: "memory" }, 100) },
].map((each) => ({ ...each, group: "throughput", baseline: "embedded-100", shown: RATE }));

const pipelineCases: readonly Case[] = [
  { name: "pipeline-memory", title: "memory adapter, whole pipeline", run: throughput({ on: "memory" }, 100) },
  { name: "pipeline-json", title: "JSON only, no framework", run: jsonOnly },
].map((each) => ({ ...each, group: "pipeline", baseline: "pipeline-json", shown: ["cpuMicros", "messagesPerSecond"] }));

const latencyCases: readonly Case[] = [
  { name: "latency-500", title: "embedded, send() → handler at 500/s", run: latency({ on: "sqlite" }, 500) },
  { name: "latency-row-500", title: "… and a business row, at 500/s", run: latency(ROW, 500) },
  { name: "latency-5000", title: "embedded, send() → handler at 5000/s", run: latency({ on: "sqlite" }, 5000) },
].map((each) => ({ ...each, group: "latency", shown: LATENCY }));

const loopCases: readonly Case[] = [
  { name: "loop-100", title: "embedded, 100 sends in flight", run: loopDelay({ on: "sqlite" }, 100) },
  { name: "loop-row-100", title: "… and a business row", run: loopDelay(ROW, 100) },
].map((each) => ({ ...each, group: "loop delay", shown: LOOP }));

const fanOutCases: readonly Case[] = [1, 3, 10].map((subscribers) => ({
  name: `fanout-${String(subscribers)}`,
  group: "fan-out",
  title: `embedded, one event to ${String(subscribers)} service${subscribers === 1 ? "" : "s"}`,
  baseline: "fanout-1",
  shown: ["handledPerSecond", "messagesPerSecond", "cpuMicros"],
  run: fanOut({ on: "sqlite" }, subscribers),
}));

const stageCases: readonly Case[] = [
  { name: "stages-memory", title: "sampled, memory adapter", shown: ["allNanos", "allocatedBytes"], run: stages({ on: "memory" }) },
  { name: "stages-embedded", title: "sampled, embedded", shown: ["allNanos", "allocatedBytes"], run: stages({ on: "sqlite" }) },
  { name: "stages-embedded-row", title: "sampled, embedded and a business row", shown: ["allNanos", "allocatedBytes"], run: stages(ROW) },
  { name: "primitives", title: "parts of every message, in loops", shown: ["parseNanos", "stringifyNanos", "zodNanos"], run: primitives },
].map((each) => ({ ...each, group: "stages" }));

const backlogCases: readonly Case[] = [
  { name: "backlog-1e4", title: "draining 10⁴", run: backlog({ messages: 1e4 }) },
  { name: "backlog-1e5", title: "draining 10⁵", run: backlog({ messages: 1e5 }) },
  { name: "backlog-1e6", title: "draining 10⁶", limitSeconds: 400, run: backlog({ messages: 1e6 }) },
].map((each) => ({ ...each, group: "backlog", baseline: "backlog-1e5", shown: DRAIN }));

// 10⁷ of the full size would need some 15 GB: small bodies, compared with 10⁵ of the same.
const bigBacklogCases: readonly Case[] = [
  { name: "backlog-tiny-1e5", title: "draining 10⁵ small ones", run: backlog({ messages: 1e5, isTiny: true }) },
  { name: "backlog-tiny-1e7", title: "draining 10⁷ small ones", limitSeconds: 2400, run: backlog({ messages: 1e7, isTiny: true }) },
].map((each) => ({ ...each, group: "big backlog", baseline: "backlog-tiny-1e5", shown: DRAIN, isBig: true }));

const steadyCases: readonly Case[] = [
  {
    name: "steady",
    group: "steady",
    title: "embedded and a business row at 2000/s",
    seconds: 30,
    limitSeconds: 4000,
    shown: ["peakRssMiB", "peakWalMiB", "peakFileMiB", "rssGrowthMiBPerMinute", "fileGrowthMiBPerMinute"],
    run: steady,
  },
];

/** Every case, in the order in which groups are run and printed. */
export const CASES: readonly Case[] = [
  ...throughputCases,
  ...pipelineCases,
  ...latencyCases,
  ...loopCases,
  ...fanOutCases,
  ...stageCases,
  ...backlogCases,
  ...bigBacklogCases,
  ...steadyCases,
  ...peerCases,
  ...postgresCases,
  ...relayCases,
  ...kafkaCases,
  ...rabbitmqCases,
];

/** The case of a name. */
export function caseNamed(name: string): Case {
  const found = CASES.find((each) => each.name === name);
  if (found === undefined) throw new Error(`there is no case "${name}"`);
  return found;
}
