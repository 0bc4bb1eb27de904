import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

/** What a case measured: name with its unit → value. */
export type Metrics = Readonly<Record<string, number>>;

const NS_PER_MS = 1e6;
const IDLE_READING_MS = 500;

/** Time and process CPU since it was made. */
export class Stopwatch {
  readonly #startedMs = performance.now();
  readonly #cpu = process.cpuUsage();

  elapsedMs(): number {
    return performance.now() - this.#startedMs;
  }

  /** User and system time of the whole process, all threads, in microseconds. */
  cpuMicros(): number {
    const { user, system } = process.cpuUsage(this.#cpu);
    return user + system;
  }
}

/** Latencies of numbered messages, in milliseconds. */
export class LatencyLog {
  readonly #sentMs: Float64Array;
  readonly #latencyMs: number[] = [];

  constructor(capacity: number) {
    this.#sentMs = new Float64Array(capacity);
  }

  sent(n: number): void {
    this.#sentMs[n] = performance.now();
  }

  handled(n: number): void {
    this.#latencyMs.push(performance.now() - this.#sentMs[n]!);
  }

  summary(): Metrics {
    const sorted = this.#latencyMs.sort((a, b) => a - b);
    return { p50Ms: percentile(sorted, 50), p99Ms: percentile(sorted, 99), p999Ms: percentile(sorted, 99.9), maxMs: sorted.at(-1) ?? NaN };
  }
}

/** The value below which `percent` of a sorted list lies. */
function percentile(sorted: readonly number[], percent: number): number {
  const index = Math.ceil((percent / 100) * sorted.length) - 1;
  return sorted[Math.max(0, index)] ?? NaN;
}

/** Measures how late the event loop runs its timers while `work` runs; the reading of an idle loop is given beside it. */
export async function withLoopDelay(work: () => Promise<void>): Promise<Metrics> {
  const idle = await loopDelayDuring(() => sleep(IDLE_READING_MS));
  const busy = await loopDelayDuring(work);
  return { loopDelayP50Ms: busy.p50, loopDelayP99Ms: busy.p99, loopDelayMaxMs: busy.max, idleLoopDelayP99Ms: idle.p99 };
}

async function loopDelayDuring(work: () => Promise<void>): Promise<{ readonly p50: number; readonly p99: number; readonly max: number }> {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  await work();
  histogram.disable();
  return { p50: histogram.percentile(50) / NS_PER_MS, p99: histogram.percentile(99) / NS_PER_MS, max: histogram.max / NS_PER_MS };
}
