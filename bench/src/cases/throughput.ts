import type { CaseContext } from "../case.ts";
import { flood, pace } from "../load.ts";
import { LatencyLog, withLoopDelay, type Metrics } from "../measure.ts";
import { commandCarrier, eventCarrier, type PostriderOptions } from "../postrider.ts";

/** A carrier that a case can open; its options are fixed by the catalogue. */
type Options = Omit<PostriderOptions, "folder">;

const WARM_UP_SECONDS = 2;
const QUICK = { seconds: 0.3, warmUpSeconds: 0.1 };
const PACE_WARM_UP_SECONDS = 2;

/** End to end as fast as it goes. */
export function throughput(options: Options, window: number): (context: CaseContext) => Promise<Metrics> {
  return async (context) => {
    await using carrier = await commandCarrier({ ...options, folder: context.folder });
    return await flood(carrier, { window, ...durations(context) });
  };
}

/** One event to several services. */
export function fanOut(options: Options, subscribers: number): (context: CaseContext) => Promise<Metrics> {
  return async (context) => {
    await using carrier = await eventCarrier({ ...options, folder: context.folder }, subscribers);
    return await flood(carrier, { window: 100, handledPerSend: subscribers, ...durations(context) });
  };
}

/** How late timers run while the loop is as busy as it gets. */
export function loopDelay(options: Options, window: number): (context: CaseContext) => Promise<Metrics> {
  return async (context) => {
    await using carrier = await commandCarrier({ ...options, folder: context.folder });
    const { seconds, warmUpSeconds } = durations(context);
    await flood(carrier, { window, seconds: warmUpSeconds, warmUpSeconds: 0 });
    let rate: Metrics = {};
    const delay = await withLoopDelay(async () => void (rate = await flood(carrier, { window, seconds, warmUpSeconds: 0 })));
    return { ...delay, ...rate };
  };
}

/** From the call of send() to the call of the handler, at a fixed rate. */
export function latency(options: Options, perSecond: number): (context: CaseContext) => Promise<Metrics> {
  return async (context) => {
    await using carrier = await commandCarrier({ ...options, folder: context.folder });
    return await paced(carrier, perSecond, context);
  };
}

/** Latency of any carrier at a fixed rate, after a warm-up at the same rate. */
export async function paced(carrier: Parameters<typeof pace>[0], perSecond: number, context: CaseContext): Promise<Metrics> {
  const warmUpSeconds = context.isQuick ? 1 : PACE_WARM_UP_SECONDS;
  await pace(carrier, { perSecond, seconds: warmUpSeconds, from: 0 });
  const seconds = context.isQuick ? 1 : context.seconds;
  const from = perSecond * warmUpSeconds;
  const log = new LatencyLog(from + perSecond * seconds);
  const { send, onHandled } = carrier;
  carrier.send = (n) => {
    log.sent(n);
    return send(n);
  };
  carrier.onHandled = (n) => {
    onHandled(n);
    log.handled(n);
  };
  const facts = await pace(carrier, { perSecond, seconds, from });
  return { ...log.summary(), ...facts };
}

/** How long a case floods. */
export function durations(context: CaseContext): { readonly seconds: number; readonly warmUpSeconds: number } {
  return context.isQuick ? QUICK : { seconds: context.seconds, warmUpSeconds: WARM_UP_SECONDS };
}
