import type { Clock } from "../base/clock.ts";
import { WakeLoop } from "../base/wake-loop.ts";
import type { Logger } from "../ports/logger.ts";
import type { Alerter } from "./alert.ts";

/** How a subscription stands, as its consumer knows it. */
export interface Standing {
  readonly service: string;
  readonly destination: string;
  /** Messages written and not settled. */
  readonly backlog: number;
  /** When a message was settled last, on the monotonic clock; 0 = never. */
  readonly lastSettledMs: number;
  /** Whether it stands still for a reason that is told otherwise: an outage, a paused lane. */
  readonly isExcused: boolean;
}

/** What a watchdog remembers of a subscription. */
export interface Watched {
  /** Since when there is a backlog, as far as it was looked at; undefined while there is none. */
  readonly backlogSinceMs: number | undefined;
  readonly isStuck: boolean;
}

/** Decides whether a subscription is stuck: pure. It is when there has been a backlog, and nothing was settled, for `stuckAfterMs`. */
export function watch(known: Watched | undefined, standing: Standing, nowMs: number, stuckAfterMs: number): Watched {
  if (standing.backlog === 0 || standing.isExcused) return { backlogSinceMs: undefined, isStuck: false };
  // A quiet hour before the first message of a backlog is no hour without progress.
  const backlogSinceMs = known?.backlogSinceMs ?? nowMs;
  return { backlogSinceMs, isStuck: nowMs - Math.max(backlogSinceMs, standing.lastSettledMs) >= stuckAfterMs };
}

/** What a watchdog stands on. */
export interface WatchdogOptions {
  /** Reads how all subscriptions stand. */
  readonly read: () => Promise<readonly Standing[]>;
  /** In milliseconds; at least four looks are taken in it. */
  readonly stuckAfterMs: number;
  readonly alerter: Alerter;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Notices subscriptions that have a backlog and make no progress, whatever the cause. */
export interface Watchdog {
  start(): void;
  /** May be called twice. */
  stop(): Promise<void>;
  isStuck(service: string, destination: string): boolean;
}

const LOOKS = 4;
const LONGEST_WAIT_MS = 5000;

/** Makes a watchdog: it raises `stuck` when a subscription gets stuck, `stuckOver` when it goes on. A look that fails is logged, and changes nothing. */
export function watchdog(options: WatchdogOptions): Watchdog {
  return new Watching(options);
}

class Watching implements Watchdog {
  readonly #options: WatchdogOptions;
  readonly #loop: WakeLoop;
  #watched: ReadonlyMap<string, Watched> = new Map();

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#loop = new WakeLoop({ clock: options.clock, round: () => this.#look() });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  isStuck(service: string, destination: string): boolean {
    return this.#watched.get(nameOf(service, destination))?.isStuck === true;
  }

  /** Never rejects. */
  async #look(): Promise<number> {
    const { read, clock, stuckAfterMs, logger } = this.#options;
    try {
      const standings = await read();
      const nowMs = clock.monotonicMs();
      const next = new Map<string, Watched>();
      for (const standing of standings) {
        const name = nameOf(standing.service, standing.destination);
        const known = this.#watched.get(name);
        const watched = watch(known, standing, nowMs, stuckAfterMs);
        next.set(name, watched);
        if (watched.isStuck !== (known?.isStuck ?? false)) this.#tell(standing, watched.isStuck);
      }
      this.#watched = next;
    } catch (error) {
      logger.warn({ err: error }, "the watchdog could not see how the subscriptions stand");
    }
    return Math.min(LONGEST_WAIT_MS, stuckAfterMs / LOOKS);
  }

  #tell({ service, destination, backlog }: Standing, isStuck: boolean): void {
    const { alerter, clock, stuckAfterMs } = this.#options;
    const text = isStuck
      ? `${service} has settled nothing of ${destination} for ${stuckAfterMs} ms, and ${backlog} messages wait`
      : `${service} goes on with ${destination}`;
    alerter.raise({ kind: isStuck ? "stuck" : "stuckOver", service, text, at: new Date(clock.now()).toISOString(), destination });
  }
}

function nameOf(service: string, destination: string): string {
  return `${service}\u0000${destination}`;
}
