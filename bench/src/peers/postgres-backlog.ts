import type { ServiceOptions } from "postrider";
import type { CaseContext } from "../case.ts";
import { Stopwatch, type Metrics } from "../measure.ts";
import { commandCarrier, HANDLER, SENDER } from "../postrider.ts";
import { freshDatabase } from "../servers/postgres.ts";
import { PEER_CONCURRENCY } from "./concurrency.ts";
import { postgresByHand } from "./postgres-by-hand.ts";

const MESSAGES = 30_000;
const WARM_UP = 6_000;
const QUICK_SHARE = 100;
const FILL_WINDOW = 500;
const LIMIT_MS = 60_000;

/** A backlog in a database, and who handles it with a business row each. */
interface Rival {
  /** Writes messages while nobody reads. */
  fill(from: number, count: number): Promise<void>;
  /** Reads until `isOver`. */
  drain(onHandled: () => void, isOver: Promise<void>): Promise<void>;
}

/** By hand, one transaction for each message, so many at once. */
export function backlogByHand(transactionsAtOnce: number): (context: CaseContext) => Promise<Metrics> {
  return async (context) => {
    await using carrier = await postgresByHand(context.servers.postgres!, { transactionsAtOnce });
    await carrier.stop();
    return await measured(context, {
      fill: (from, count) => fill(carrier.send, from, count),
      drain: async (onHandled, isOver) => {
        carrier.onHandled = onHandled;
        await carrier.start();
        await isOver;
        await carrier.stop();
      },
    });
  };
}

/** By Postrider, at its defaults. */
export function backlogOfPostrider(options: ServiceOptions): (context: CaseContext) => Promise<Metrics> {
  return async (context) => {
    const { folder, servers } = context;
    const database = await freshDatabase(servers.postgres!);
    const shared = { on: "postgres", url: database.url, folder, withRow: true } as const;
    const metrics = await measured(context, {
      fill: async (from, count) => {
        await using sender = await commandCarrier({ ...shared, run: [SENDER] });
        await fill((n) => sender.send(n), from, count);
      },
      drain: async (onHandled, isOver) => {
        const service = { ...options, concurrency: PEER_CONCURRENCY };
        await using _ = await commandCarrier({ ...shared, service, run: [HANDLER], onHandled });
        await isOver;
      },
    });
    await database.drop();
    return metrics;
  };
}

async function measured({ isQuick }: CaseContext, rival: Rival): Promise<Metrics> {
  const [warmUp, messages] = [WARM_UP, MESSAGES].map((count) => (isQuick ? count / QUICK_SHARE : count)) as [number, number];
  await drained(rival, 0, warmUp);
  return drained(rival, warmUp, messages);
}

/** From the first handled message to the last. */
async function drained(rival: Rival, from: number, count: number): Promise<Metrics> {
  await rival.fill(from, count);
  const [started, over] = [new Stopwatch(), Promise.withResolvers<void>()];
  const seen = { handled: 0, firstMs: 0, lastMs: 0 };
  const draining = rival.drain(() => {
    seen.lastMs = started.elapsedMs();
    if (seen.handled++ === 0) seen.firstMs = seen.lastMs;
    if (seen.handled === count) over.resolve();
  }, over.promise);
  const limit = setTimeout(() => {
    over.reject(new Error(`${String(seen.handled)} of ${String(count)} were handled in ${String(LIMIT_MS)} ms`));
  }, LIMIT_MS);
  await over.promise;
  clearTimeout(limit);
  const cpuMicros = started.cpuMicros() / count;
  await draining;
  return { messagesPerSecond: ((count - 1) / (seen.lastMs - seen.firstMs)) * 1000, cpuMicros, messages: seen.handled };
}

async function fill(send: (n: number) => Promise<unknown>, from: number, count: number): Promise<void> {
  let next = from;
  const lane = async (): Promise<void> => {
    while (next < from + count) await send(next++);
  };
  await Promise.all(Array.from({ length: FILL_WINDOW }, lane));
}
