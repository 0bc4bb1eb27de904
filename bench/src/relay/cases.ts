import type { Case } from "../case.ts";
import { drain, latency, type RelayOptions } from "./measure.ts";

const HOLD_LIMIT_SECONDS = 1200;

const WAYS: readonly (RelayOptions & { readonly name: string; readonly title: string })[] = [
  { name: "polling", title: "polled", way: "polling" },
  { name: "polling-held", title: "polled, beside an old snapshot and 300,000 dead rows", way: "polling", isHeld: true },
  { name: "replication", title: "from the write-ahead log", way: "replication" },
  { name: "replication-held", title: "… beside an old snapshot and 300,000 dead rows", way: "replication", isHeld: true },
];

/** From an outbox on PostgreSQL to Kafka. */
export const relayCases: readonly Case[] = WAYS.flatMap(({ name, title, ...options }) => {
  const shared = { title, server: ["postgres", "kafka"], limitSeconds: HOLD_LIMIT_SECONDS } as const;
  return [
    {
      ...shared,
      name: `relay-drain-${name}`,
      group: "relay drain",
      baseline: "relay-drain-polling",
      shown: ["rowsPerSecond", "cpuMicros", "sentAgain"],
      run: drain(options),
    },
    {
      ...shared,
      name: `relay-latency-${name}`,
      group: "relay latency",
      seconds: 10,
      shown: ["p50Ms", "p99Ms", "maxMs", "cpuMicros"],
      run: latency(options),
    },
  ];
});
