import type { Clock, Timer } from "../base/clock.ts";
import type { SubscriptionStatus } from "../delivery/service-runner.ts";
import type { SubscriptionHealth } from "./api.ts";

/** What health is judged from. */
export interface HealthWatchOptions {
  readonly clock: Clock;
  readonly stuckAfterMs: number;
  readonly members: readonly { status(): Promise<readonly SubscriptionStatus[]> }[];
  readonly alert: (alert: {
    readonly kind: "stuck" | "stuckOver";
    readonly service: string;
    readonly destination: string;
    readonly text: string;
  }) => void;
}

interface Seen {
  /** Since when there is a backlog and nothing has ended, on the monotonic clock. */
  since: number;
  lastEndedAt: number;
  /** Since when some lane has messages and no process reads it. */
  unownedSince: number;
  isStuck: boolean;
}

const LOOKS_PER_LIMIT = 4; // a stuck subscription is noticed within 1.25 times the limit

/** Notices subscriptions that have a backlog and end no message, and lanes that have messages and no reader: alive, and consuming nothing. */
export class HealthWatch {
  readonly #options: HealthWatchOptions;
  readonly #seen = new Map<string, Seen>();
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(options: HealthWatchOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, stuckAfterMs } = this.#options;
    if (this.#isStopped) return;
    this.#timer = clock.after(
      stuckAfterMs / LOOKS_PER_LIMIT,
      () =>
        void this.look().then(
          () => this.start(),
          () => this.start(),
        ),
    );
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** How every subscription of this process stands now. */
  async look(): Promise<readonly SubscriptionHealth[]> {
    const statuses = (await Promise.all(this.#options.members.map((member) => member.status()))).flat();
    return statuses.map((status) => this.#judge(status));
  }

  #judge(status: SubscriptionStatus): SubscriptionHealth {
    const { service, destination, lanes, inFlight, backlog, lagSeconds } = status;
    const isStuck = this.#isStuck(`${service} ${destination}`, status);
    return {
      service,
      destination,
      state: isStuck ? "stuck" : status.isOut ? "outage" : status.isPaused ? "paused" : "ok",
      lanes,
      inFlight,
      backlog,
      lagSeconds,
    };
  }

  #isStuck(name: string, { service, destination, backlog, lastEndedAt, isOut, lanes, unowned }: SubscriptionStatus): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    const known = this.#seen.get(name) ?? { since: nowMs, lastEndedAt, unownedSince: nowMs, isStuck: false };
    this.#seen.set(name, known);
    // A standby without lanes has nothing to do, and an outage is known and probed.
    if (backlog === 0 || lanes === 0 || isOut || known.lastEndedAt !== lastEndedAt) {
      known.since = nowMs;
      known.lastEndedAt = lastEndedAt;
    }
    if (unowned === 0) known.unownedSince = nowMs;
    const stuckSince = Math.min(known.since, known.unownedSince);
    const isStuck = nowMs - stuckSince >= this.#options.stuckAfterMs;
    if (isStuck !== known.isStuck) {
      known.isStuck = isStuck;
      const seconds = Math.round((nowMs - stuckSince) / 1000);
      const what =
        known.unownedSince < known.since
          ? `nobody has read ${unowned} lanes of ${destination} that have messages for ${service}`
          : `${service} has ${backlog} messages on ${destination} and has ended none`;
      const text = isStuck ? `${what} for ${seconds} s` : `${service} goes on with ${destination}`;
      this.#options.alert({ kind: isStuck ? "stuck" : "stuckOver", service, destination, text });
    }
    return isStuck;
  }
}
