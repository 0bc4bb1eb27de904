import { randomUUIDv7 } from "node:crypto";
import type { CaseContext, CaseResult } from "../case.ts";
import { sampleAllocations } from "../allocations.ts";
import { flood, type Carrier } from "../load.ts";
import type { Metrics } from "../measure.ts";
import { orders, OrderSchema } from "../order.ts";
import { commandCarrier, type PostriderOptions } from "../postrider.ts";
import { profileStages } from "../profile.ts";
import { durations } from "./throughput.ts";

const WINDOW = 100;
const PRIMITIVE_ROUNDS = 7;

/** Where the CPU and the allocations of one message go, by sampling a real run. */
export function stages(options: Omit<PostriderOptions, "folder">): (context: CaseContext) => Promise<CaseResult> {
  return async (context) => {
    await using carrier = await commandCarrier({ ...options, folder: context.folder });
    const { seconds, warmUpSeconds } = durations(context);
    await flood(carrier, { window: WINDOW, seconds: warmUpSeconds, warmUpSeconds: 0 });
    const run = async (): Promise<{ messages: number }> => {
      const { messages } = await flood(carrier, { window: WINDOW, seconds, warmUpSeconds: 0 });
      return { messages: messages! };
    };
    const { nanosByStage, hottest } = await profileStages(run);
    const { bytesPerMessage, hungriest } = await sampleAllocations(run);
    const total = Object.values(nanosByStage).reduce((sum, nanos) => sum + nanos, 0);
    return { metrics: { allNanos: total, allocatedBytes: bytesPerMessage, ...named(nanosByStage) }, detail: { hottest, hungriest } };
  };
}

/** What any carrier of JSON must pay: stringify, encode, decode, parse and call. The pipeline's cost is what comes on top of this. */
export async function jsonOnly(context: CaseContext): Promise<Metrics> {
  const order = orders();
  const carrier: Carrier = {
    onHandled: () => {},
    send: async (n) => {
      const bytes = Buffer.from(JSON.stringify(order(n)));
      await Promise.resolve();
      const read = JSON.parse(bytes.toString()) as { readonly orderId: string };
      carrier.onHandled(Number(read.orderId.slice(2)));
    },
  };
  return flood(carrier, { window: WINDOW, ...durations(context) });
}

/** The parts that every message needs, each in a loop of its own, in nanoseconds. */
export function primitives(context: CaseContext): Promise<CaseResult> {
  const order = orders();
  const texts = Array.from({ length: 64 }, (_, n) => JSON.stringify(order(n)));
  const bytes = texts.map((text) => Buffer.from(text));
  const values = texts.map((text) => JSON.parse(text) as unknown);
  const work: Readonly<Record<string, (n: number) => unknown>> = {
    buildNanos: (n) => order(n),
    zodNanos: (n) => OrderSchema["~standard"].validate(values[n & 63]),
    stringifyNanos: (n) => JSON.stringify(values[n & 63]),
    encodeNanos: (n) => Buffer.from(texts[n & 63]!),
    decodeNanos: (n) => bytes[n & 63]!.toString(),
    parseNanos: (n) => JSON.parse(texts[n & 63]!),
    uuidV7Nanos: () => randomUUIDv7(),
  };
  const repeats = context.isQuick ? 2_000 : 200_000;
  const rounds = Array.from({ length: PRIMITIVE_ROUNDS }, () =>
    Object.entries(work).map(([name, step]) => [name, nanosPerCall(step, repeats)] as const),
  );
  const metrics = Object.fromEntries(Object.keys(work).map((name, index) => [name, median(rounds.map((round) => round[index]![1]))]));
  return Promise.resolve({ metrics });
}

let sink: unknown;

function nanosPerCall(step: (n: number) => unknown, repeats: number): number {
  const started = performance.now();
  for (let n = 0; n < repeats; n++) sink = step(n);
  return sink === undefined ? NaN : ((performance.now() - started) / repeats) * 1e6;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

function named(nanosByStage: Readonly<Record<string, number>>): Metrics {
  return Object.fromEntries(Object.entries(nanosByStage).map(([stage, nanos]) => [`nanos in ${stage}`, nanos]));
}
