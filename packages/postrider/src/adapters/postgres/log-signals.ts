import type { Clock } from "../../base/clock.ts";
import { WakeLoop } from "../../base/wake-loop.ts";
import type { Heard, PgListener } from "./listener.ts";
import type { LogPlace } from "./log-place.ts";

/** What signals need. */
export interface LogSignalsOptions {
  readonly log: LogPlace;
  readonly listener: PgListener;
  readonly clock: Clock;
  /** This instance among all: what it says itself is not news. */
  readonly instance: string;
  /** Others have written to these destinations; 0 stands for answers. */
  readonly onNews: (destinations: readonly number[]) => void;
  /** The connection is there, perhaps again: there may be news of everything. */
  readonly onConnected: () => void;
}

// One that was told within this time will look anyway.
const SPEAK_EVERY_MS = 3;
const IDLE_MS = 60_000;

/**
 * Hints between processes that there is something new, by LISTEN and NOTIFY. A hint may get lost: everybody also looks by himself, now and then.
 *
 * A hint is sent after the commit, in a statement of its own and for many commits together: a commit that notifies holds a lock of the whole
 * server until it is on the disk, so that notifying transactions would come one by one.
 */
export class LogSignals {
  readonly #options: LogSignalsOptions;
  readonly #speak: WakeLoop;
  readonly #stopListening: () => void;
  #unsaid = new Set<number>();

  constructor(options: LogSignalsOptions) {
    this.#options = options;
    this.#speak = new WakeLoop({ clock: options.clock, round: () => this.#say() });
    this.#speak.start();
    this.#stopListening = options.listener.listen(options.log.channel, (heard) => this.#heard(heard));
  }

  /** The server's process of the listening connection, which ends with this process; 0 while there is none. */
  get backend(): number {
    return this.#options.listener.backend;
  }

  /** Tells others, soon. */
  say(destinations: Iterable<number>): void {
    for (const destination of destinations) this.#unsaid.add(destination);
    this.#speak.wake();
  }

  async stop(): Promise<void> {
    this.#stopListening();
    await this.#speak.stop();
  }

  async #say(): Promise<number> {
    if (this.#unsaid.size === 0) return IDLE_MS;
    const { log, instance, clock } = this.#options;
    const destinations = [...this.#unsaid];
    this.#unsaid = new Set();
    const text = `${instance} ${destinations.join(" ")}`;
    await log.run("notify", "select pg_notify($1, $2)", [log.channel, text]).catch(() => undefined); // they look by themselves
    await clock.sleep(SPEAK_EVERY_MS);
    return IDLE_MS;
  }

  #heard(heard: Heard): void {
    if (heard === undefined) return this.#options.onConnected();
    const [instance, ...destinations] = heard.split(" ");
    if (instance !== this.#options.instance) this.#options.onNews(destinations.map(Number));
  }
}
