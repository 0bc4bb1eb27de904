import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { CaseContext, CaseResult } from "../case.ts";
import { pace } from "../load.ts";
import { Stopwatch } from "../measure.ts";
import { commandCarrier, databaseFile } from "../postrider.ts";

const PER_SECOND = 2000;
const KEPT_ROWS = 10_000; // so that the business table stops growing and what grows is ours
const MIB = 1024 * 1024;
const SAMPLES = 60;

interface Sample {
  readonly atSeconds: number;
  readonly rssMiB: number;
  readonly heapMiB: number;
  readonly fileMiB: number;
  readonly walMiB: number;
}

/** What grows while a steady stream of messages goes through. */
export async function steady(context: CaseContext): Promise<CaseResult> {
  await using carrier = await commandCarrier({ on: "sqlite", folder: context.folder, withRow: true, keptRows: KEPT_ROWS });
  const seconds = context.isQuick ? 1 : context.seconds;
  const ended = new AbortController();
  const sampling = sampleUntil(ended.signal, databaseFile(context.folder), seconds);
  const facts = await pace(carrier, { perSecond: PER_SECOND, seconds, from: 0 });
  ended.abort();
  const series = await sampling;
  const half = series.slice(series.length >> 1);
  return {
    metrics: {
      perSecond: PER_SECOND,
      peakRssMiB: Math.max(...series.map(({ rssMiB }) => rssMiB)),
      peakWalMiB: Math.max(...series.map(({ walMiB }) => walMiB)),
      peakFileMiB: Math.max(...series.map(({ fileMiB }) => fileMiB)),
      // The second half: by then caches are full and retention has begun.
      rssGrowthMiBPerMinute: growth(half, ({ rssMiB }) => rssMiB),
      fileGrowthMiBPerMinute: growth(half, ({ fileMiB }) => fileMiB),
      ...facts,
    },
    detail: { series },
  };
}

async function sampleUntil(signal: AbortSignal, file: string, seconds: number): Promise<readonly Sample[]> {
  const [watch, series] = [new Stopwatch(), [] as Sample[]];
  while (!signal.aborted) {
    const { rss, heapUsed } = process.memoryUsage();
    series.push({
      atSeconds: watch.elapsedMs() / 1000,
      rssMiB: rss / MIB,
      heapMiB: heapUsed / MIB,
      fileMiB: sizeOf(file) / MIB,
      walMiB: sizeOf(`${file}-wal`) / MIB,
    });
    await sleep((seconds * 1000) / SAMPLES, undefined, { signal }).catch(() => {});
  }
  return series;
}

/** The slope of a least-squares line, for each minute. */
function growth(series: readonly Sample[], value: (sample: Sample) => number): number {
  const meanX = mean(series.map(({ atSeconds }) => atSeconds));
  const meanY = mean(series.map(value));
  const spread = series.reduce((sum, { atSeconds }) => sum + (atSeconds - meanX) ** 2, 0);
  const together = series.reduce((sum, sample) => sum + (sample.atSeconds - meanX) * (value(sample) - meanY), 0);
  return spread === 0 ? 0 : (together / spread) * 60;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
