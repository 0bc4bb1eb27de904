import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { CaseContext, CaseResult } from "../case.ts";
import { childOf } from "../child.ts";
import { flood } from "../load.ts";
import { Stopwatch, type Metrics } from "../measure.ts";
import { commandCarrier, databaseFile, SENDER } from "../postrider.ts";

/** A backlog to drain. */
export interface BacklogOptions {
  readonly messages: number;
  readonly isTiny?: boolean;
}

const PRELOAD_WINDOW = 1000;
const WARM_UP_WINDOW = 100; // no more than that is in memory at a time
const WARM_UP_MESSAGES = 20_000;
const DRAIN_SECONDS = 30; // a larger backlog is measured by its first half minute, with all the rest still waiting
const SAMPLE_MS = 50;
const QUICK_SHARE = 100;
const MIB = 1024 * 1024;

/** How fast a backlog drains, and in how much memory: written by one process, drained by another that has seen nothing of it. */
export function backlog(options: BacklogOptions): (context: CaseContext) => Promise<CaseResult> {
  return async (context) => {
    const messages = context.isQuick ? options.messages / QUICK_SHARE : options.messages;
    const preloaded = await childOf("preload", { ...context, preload: { ...options, messages } });
    const fileMiB = statSync(databaseFile(context.folder)).size / MIB;
    await warmUp(context, options);
    const drained = await drain(context, { ...options, messages });
    return {
      metrics: {
        ...drained,
        fileMiB,
        fileBytesPerMessage: (fileMiB * MIB) / messages,
        preloadPerSecond: preloaded.metrics["messagesPerSecond"] ?? NaN,
      },
      notes: options.isTiny ? ["bodies of 44 bytes"] : [],
    };
  };
}

/** Runs in a process of its own: writes the backlog while no one reads. */
export async function preload(context: CaseContext & { readonly preload: BacklogOptions }): Promise<Metrics> {
  const { messages, isTiny = false } = context.preload;
  await using carrier = await commandCarrier({ on: "sqlite", folder: context.folder, isTiny, run: [SENDER] });
  const watch = new Stopwatch();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < messages) await carrier.send(next++);
  };
  await Promise.all(Array.from({ length: PRELOAD_WINDOW }, lane));
  return { messagesPerSecond: (messages / watch.elapsedMs()) * 1000 };
}

/** The same code on another file, so that a small backlog is not drained by code that was never compiled. */
async function warmUp(context: CaseContext, { isTiny = false }: BacklogOptions): Promise<void> {
  const folder = join(context.folder, "warm-up");
  mkdirSync(folder);
  await using carrier = await commandCarrier({ on: "sqlite", folder, isTiny });
  let handled = 0;
  carrier.onHandled = () => handled++;
  const seconds = context.isQuick ? 0.05 : 1;
  while (handled < (context.isQuick ? 1 : WARM_UP_MESSAGES)) await flood(carrier, { window: WARM_UP_WINDOW, seconds, warmUpSeconds: 0 });
}

async function drain(context: CaseContext, { messages, isTiny = false }: BacklogOptions): Promise<Metrics> {
  const [started, startRssMiB] = [new Stopwatch(), process.memoryUsage.rss() / MIB];
  await using carrier = await commandCarrier({ on: "sqlite", folder: context.folder, isTiny });
  const openMs = started.elapsedMs();
  const progress = new Progress();
  carrier.onHandled = () => progress.note();
  const rss = new Peak(() => process.memoryUsage.rss());
  while (progress.handled < messages && started.elapsedMs() < DRAIN_SECONDS * 1000) {
    rss.sample();
    await sleep(SAMPLE_MS);
  }
  return {
    messagesPerSecond: progress.perSecond(),
    firstHandledMs: progress.firstMs,
    openMs,
    handled: progress.handled,
    peakRssMiB: rss.highest / MIB,
    startRssMiB,
    cpuMicros: started.cpuMicros() / progress.handled,
  };
}

/** From the first handled message to the last: opening the file is measured apart. */
class Progress {
  readonly #watch = new Stopwatch();
  handled = 0;
  firstMs = 0;
  #lastMs = 0;

  note(): void {
    this.#lastMs = this.#watch.elapsedMs();
    if (this.handled++ === 0) this.firstMs = this.#lastMs;
  }

  perSecond(): number {
    return ((this.handled - 1) / (this.#lastMs - this.firstMs)) * 1000;
  }
}

/** The highest of a value that was looked at now and then. */
class Peak {
  readonly #read: () => number;
  highest = 0;

  constructor(read: () => number) {
    this.#read = read;
  }

  sample(): void {
    this.highest = Math.max(this.highest, this.#read());
  }
}
