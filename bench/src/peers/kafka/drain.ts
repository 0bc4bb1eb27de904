import { setTimeout as sleep } from "node:timers/promises";
import type { CaseContext } from "../../case.ts";
import { Stopwatch, type Metrics } from "../../measure.ts";
import type { KafkaPeer } from "./peer.ts";

const MESSAGES = 200_000;
const QUICK_SHARE = 100;
const FILL_WINDOW = 1000;
const SAMPLE_MS = 20;
const LIMIT_MS = 60_000;
const MIB = 1024 * 1024;

/** How fast a backlog is read: from the first handled message to the last. */
export async function drain(peer: KafkaPeer, context: CaseContext): Promise<Metrics> {
  const messages = context.isQuick ? MESSAGES / QUICK_SHARE : MESSAGES;
  await (peer.fill?.(messages) ?? fillBySends(peer, messages));
  const [watch, seen] = [new Stopwatch(), { handled: 0, firstMs: 0, lastMs: 0 }];
  let peakRss = 0;
  await peer.openReader(() => {
    seen.lastMs = watch.elapsedMs();
    if (seen.handled++ === 0) seen.firstMs = seen.lastMs;
  });
  while (seen.handled < messages) {
    if (watch.elapsedMs() > LIMIT_MS) throw new Error(`${String(seen.handled)} of ${String(messages)} came in ${String(LIMIT_MS)} ms`);
    peakRss = Math.max(peakRss, process.memoryUsage.rss());
    await sleep(SAMPLE_MS);
  }
  return {
    messagesPerSecond: ((messages - 1) / (seen.lastMs - seen.firstMs)) * 1000,
    cpuMicros: watch.cpuMicros() / messages,
    firstHandledMs: seen.firstMs,
    peakRssMiB: peakRss / MIB,
  };
}

async function fillBySends(peer: KafkaPeer, messages: number): Promise<void> {
  const send = await peer.openSender();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < messages) await send(next++);
  };
  await Promise.all(Array.from({ length: FILL_WINDOW }, lane));
}
