import { setTimeout as sleep } from "node:timers/promises";
import type { CaseContext } from "../case.ts";
import { pace } from "../load.ts";
import { LatencyLog, Stopwatch, type Metrics } from "../measure.ts";
import { RelayedOutbox, type Way } from "./outbox.ts";

/** How an outbox is read, and beside what. */
export interface RelayOptions {
  readonly way: Way;
  /** Whether a snapshot of before all that was ever removed is held: 300,000 dead rows, as many as 500/s make in ten minutes. */
  readonly isHeld?: boolean;
}

const PER_SECOND = 500;
const WARM_UP_SECONDS = 3;
const WARM_UP_ROWS = 40_000;
const DRAINED_ROWS = 200_000;
/** Of a drain, before it counts: it begins with connections and a slot. */
const UNCOUNTED_SHARE = 0.1;
const DEAD_ROWS = 300_000;
const DEAD_ROUNDS = 15;
const QUICK_SHARE = 100;

/** How fast a relay empties an outbox that was filled while it was away. */
export function drain(options: RelayOptions): (context: CaseContext) => Promise<Metrics> {
  return async (context) => {
    await using outbox = await prepared(options, context);
    const rows = shareOf(DRAINED_ROWS, context);
    await outbox.stop();
    await outbox.fill(rows);
    const end = outbox.written;
    const first = end - Math.floor(rows * (1 - UNCOUNTED_SHARE));
    let [from, watch] = [0, new Stopwatch()];
    outbox.onAcknowledged = () => {
      if (from > 0 || outbox.acknowledged < first) return;
      [from, watch] = [outbox.acknowledged, new Stopwatch()];
    };
    await outbox.start();
    let elapsedMs = NaN;
    const counted = outbox.onAcknowledged;
    outbox.onAcknowledged = (n) => {
      counted(n);
      if (outbox.acknowledged === end) elapsedMs = watch.elapsedMs();
    };
    await outbox.reach(end);
    const cpuMicros = watch.cpuMicros() / (end - from);
    await outbox.stop();
    return { rowsPerSecond: ((end - from) / elapsedMs) * 1000, cpuMicros, rows: end - from, sentAgain: outbox.acknowledged - end };
  };
}

/** From the commit to Kafka's acknowledgement, at a fixed rate of commits. */
export function latency(options: RelayOptions): (context: CaseContext) => Promise<Metrics> {
  return async (context) => {
    await using outbox = await prepared(options, context);
    const seconds = context.isQuick ? 1 : context.seconds;
    const warmUp = PER_SECOND * (context.isQuick ? 1 : WARM_UP_SECONDS);
    const from = outbox.written;
    const log = new LatencyLog(from + warmUp + PER_SECOND * seconds);
    const [isCommitted, isThere] = [new Set<number>(), new Set<number>()];
    const carrier = {
      onHandled: ignore,
      // What is read from the server's log may be there before its commit is answered: then it took no time.
      send: async (n: number): Promise<void> => {
        await outbox.send(n);
        log.sent(n);
        if (isThere.delete(n)) note(n);
        else isCommitted.add(n);
      },
    };
    const note = (n: number): void => {
      if (n >= from + warmUp) log.handled(n);
      carrier.onHandled(n);
    };
    outbox.onAcknowledged = (n) => {
      if (n < from) return;
      if (isCommitted.delete(n)) note(n);
      else isThere.add(n);
    };
    await pace(carrier, { perSecond: PER_SECOND, seconds: warmUp / PER_SECOND, from });
    const facts = await pace(carrier, { perSecond: PER_SECOND, seconds, from: from + warmUp });
    return { ...log.summary(), ...facts };
  };
}

function ignore(_n: number): void {}

/** An outbox whose code is compiled, and that has seen what it is to have seen. */
async function prepared({ way, isHeld = false }: RelayOptions, context: CaseContext): Promise<RelayedOutbox> {
  const outbox = await RelayedOutbox.open(context, way);
  try {
    if (isHeld) await outbox.holdSnapshot();
    await carry(outbox, shareOf(WARM_UP_ROWS, context));
    if (isHeld) await makeDeadRows(outbox, context);
    return outbox;
  } catch (error) {
    await outbox[Symbol.asyncDispose]();
    throw error;
  }
}

/** As many whether it takes a few seconds or `--seconds 600`. */
async function makeDeadRows(outbox: RelayedOutbox, context: CaseContext): Promise<void> {
  const watch = new Stopwatch();
  const rows = Math.ceil(shareOf(DEAD_ROWS, context) / DEAD_ROUNDS);
  for (let round = 1; round <= DEAD_ROUNDS; round++) {
    await carry(outbox, rows);
    await sleep(Math.max(0, (context.isQuick ? 0 : (context.seconds * 1000 * round) / DEAD_ROUNDS) - watch.elapsedMs()));
  }
}

async function carry(outbox: RelayedOutbox, rows: number): Promise<void> {
  await outbox.fill(rows);
  await outbox.reach(outbox.written);
}

function shareOf(rows: number, { isQuick }: CaseContext): number {
  return isQuick ? rows / QUICK_SHARE : rows;
}
