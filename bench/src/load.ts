import { createHistogram } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { Stopwatch, type Metrics } from "./measure.ts";

/** Something that carries messages: sends the n-th, and tells of each that was handled. */
export interface Carrier {
  /** Settles when the message is accepted. */
  send: (n: number) => Promise<unknown>;
  /** Called by the case for every handled message; the carrier's handler calls it. */
  onHandled: (n: number) => void;
}

/** How hard to push. */
export interface FloodOptions {
  /** Sends that are in flight at once. */
  readonly window: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Handler calls for each send: the number of subscribers. */
  readonly handledPerSend?: number;
}

const TICK_MS = 1;
const STALLED_MS = 30_000;

/**
 * Sends as fast as `window` sends in flight allow, then waits until everything is handled.
 *
 * The rate is that of the whole: from the first send to the last handler call, so a backlog that is left behind counts against it.
 */
export async function flood(carrier: Carrier, options: FloodOptions): Promise<Metrics> {
  const handledPerSend = options.handledPerSend ?? 1;
  const counter = new HandledCounter(carrier);
  const warm = await push(carrier, { window: options.window, seconds: options.warmUpSeconds, from: 0 });
  await counter.reach(warm * handledPerSend);
  const watch = new Stopwatch();
  const sent = (await push(carrier, { window: options.window, seconds: options.seconds, from: warm })) - warm;
  const sendMs = watch.elapsedMs();
  const backlog = (warm + sent) * handledPerSend - counter.count;
  await counter.reach((warm + sent) * handledPerSend);
  const elapsedMs = watch.elapsedMs();
  return {
    messagesPerSecond: (sent / elapsedMs) * 1000,
    handledPerSecond: ((sent * handledPerSend) / elapsedMs) * 1000,
    sendsPerSecond: (sent / sendMs) * 1000,
    cpuMicros: watch.cpuMicros() / sent,
    messages: sent,
    backlogAfterSending: backlog,
  };
}

/** Sends as fast as `window` sends in flight allow, with nobody to wait for but the answers to the sends. */
export async function sendOnly(send: Carrier["send"], options: Omit<FloodOptions, "handledPerSend">): Promise<Metrics> {
  const { window, seconds, warmUpSeconds } = options;
  const warm = await push({ send }, { window, seconds: warmUpSeconds, from: 0 });
  const watch = new Stopwatch();
  const sent = (await push({ send }, { window, seconds, from: warm })) - warm;
  return { messagesPerSecond: (sent / watch.elapsedMs()) * 1000, cpuMicros: watch.cpuMicros() / sent, messages: sent };
}

/** Sends at a fixed rate and lets nothing wait for anything: a slow answer does not slow the next send. Keeps nothing of what it has sent. */
export async function pace(
  carrier: Carrier,
  options: { readonly perSecond: number; readonly seconds: number; readonly from: number },
): Promise<Metrics> {
  const count = options.perSecond * options.seconds;
  const intervalMs = 1000 / options.perSecond;
  const latenessMicros = createHistogram();
  const counter = new HandledCounter(carrier);
  const refused: unknown[] = [];
  const watch = new Stopwatch();
  for (let n = 0; n < count;) {
    for (; n < count && n * intervalMs <= watch.elapsedMs(); n++) {
      latenessMicros.record(1 + Math.round((watch.elapsedMs() - n * intervalMs) * 1000));
      carrier.send(options.from + n).catch((error: unknown) => refused.push(error));
    }
    if (refused.length > 0) throw refused[0];
    await sleep(TICK_MS);
  }
  await counter.reach(count);
  return { paceLatenessP99Ms: latenessMicros.percentile(99) / 1000, cpuMicros: watch.cpuMicros() / count, messages: count };
}

/** Sends from `from` until the time is up; answers the number after the last. */
async function push(
  carrier: Pick<Carrier, "send">,
  { window, seconds, from }: { readonly window: number; readonly seconds: number; readonly from: number },
): Promise<number> {
  const watch = new Stopwatch();
  let next = from;
  const lane = async (): Promise<void> => {
    while (watch.elapsedMs() < seconds * 1000) await carrier.send(next++);
  };
  await Promise.all(Array.from({ length: window }, lane));
  return next;
}

/** Counts what a carrier has handled, on top of whoever listens already. */
class HandledCounter {
  count = 0;
  #target = Infinity;
  #wake: () => void = () => {};

  constructor(carrier: Carrier) {
    const listener = carrier.onHandled;
    carrier.onHandled = (n) => {
      listener(n);
      if (++this.count >= this.#target) this.#wake();
    };
  }

  /** Settles once so many were handled; fails when no more come. */
  async reach(target: number): Promise<void> {
    this.#target = target;
    while (this.count < target) {
      const before = this.count;
      const stalled = new AbortController();
      const reached = new Promise<void>((resolve) => (this.#wake = resolve));
      await Promise.race([reached, sleep(STALLED_MS, undefined, { signal: stalled.signal }).catch(() => {})]);
      stalled.abort();
      if (this.count === before)
        throw new Error(`${String(this.count)} of ${String(target)} messages were handled, then none for ${String(STALLED_MS)} ms`);
    }
    this.#target = Infinity;
  }
}
