import { fail } from "../base/errors.ts";
import { deferred } from "../base/deferred.ts";
import { persist } from "../base/persist.ts";
import type { PersistOptions } from "../base/persist.ts";
import type { Store } from "../ports/store.ts";
import type { Topology, Transport } from "../ports/transport.ts";
import type { ResolvedOptions } from "./options.ts";

// With a store to keep what is sent, a start waits no longer for brokers: it goes on, and reads once they answer.
const BROKER_PATIENCE_MS = 5_000;

/** What is connected, and how. */
export interface ConnectingOptions {
  readonly options: ResolvedOptions;
  readonly stores: readonly Store[];
  readonly topologies: ReadonlyMap<Transport, Topology>;
}

/** Opens databases and brokers, again and again while they do not answer. */
export class Connecting {
  readonly #options: ConnectingOptions;
  readonly #abort = new AbortController();
  readonly #brokers = new Map<Transport, Promise<void>>();
  readonly #there = new Set<Transport>();
  readonly #missing = new Map<Transport, string>();
  #untilMs = 0;

  constructor(options: ConnectingOptions) {
    this.#options = options;
  }

  /**
   * Opens the stores, then the transports. Resolves once all are there; where stores keep what is sent, after a few seconds in any case: see {@link ready}.
   * @throws the last failure when the time for a start is over, and at once what trying again does not mend
   */
  async start(): Promise<void> {
    const { options, stores, topologies } = this.#options;
    this.#untilMs = options.clock.monotonicMs() + options.startPatienceMs;
    await Promise.all(stores.map((store) => this.#openStore(store)));
    for (const [transport, topology] of topologies) this.#brokers.set(transport, this.#connect(transport, topology));
    await this.within(Promise.all(this.#brokers.values()));
  }

  /** Waits for something that takes its time only while a broker is away: not for ever, where there are stores. */
  async within(work: Promise<unknown>): Promise<void> {
    if (this.#options.stores.length === 0) return void (await work);
    const { promise: late, resolve } = deferred();
    const timer = this.#options.options.clock.after(BROKER_PATIENCE_MS, () => resolve(), { keepAlive: true });
    await Promise.race([work, late]).finally(() => timer.cancel());
    work.catch(() => undefined); // from here on whoever asks for a transport hears of it
  }

  /** Resolves once a transport is open and has its topology. */
  async ready(transport: Transport): Promise<void> {
    await this.#brokers.get(transport);
  }

  /** Whether a transport is open and has its topology. */
  isThere(transport: Transport): boolean {
    return this.#there.has(transport);
  }

  /** How to go on trying with what was connected: for as long as nobody stops. */
  patience(transport: Transport): PersistOptions {
    return { ...this.#patience(), onFailure: (error) => this.#failed(transport, error) };
  }

  /** What is still missing, in words; undefined when nothing is. */
  get missing(): string | undefined {
    return this.#missing.size === 0 ? undefined : [...this.#missing.values()].join(" ");
  }

  /** Ends the trying. */
  stop(): void {
    this.#abort.abort(fail("PR_SHUTDOWN", { during: "start" }));
  }

  async #openStore(store: Store): Promise<void> {
    let isTold = false;
    const onFailure = (error: Error): void => {
      const { logger } = this.#options.options;
      if (!isTold)
        logger.warn(
          { err: error, store: store.name, service: store.service },
          "the database does not open yet; it is tried again and again",
        );
      isTold = true;
    };
    await persist(() => store.open(), { ...this.#patience(), untilMs: this.#untilMs, onFailure });
  }

  async #connect(transport: Transport, topology: Topology): Promise<void> {
    const untilMs = this.#options.stores.length === 0 ? this.#untilMs : Infinity;
    const open = async (): Promise<void> => {
      this.#abort.signal.throwIfAborted();
      await transport.open();
      this.#abort.signal.throwIfAborted();
      await transport.apply(topology);
    };
    await persist(open, { ...this.patience(transport), untilMs });
    this.#missing.delete(transport);
    this.#there.add(transport);
  }

  #failed(transport: Transport, error: Error): void {
    if (!this.#missing.has(transport)) {
      const { logger } = this.#options.options;
      logger.warn({ err: error, transport: transport.name }, "the broker does not answer yet; it is tried again and again");
    }
    this.#missing.set(transport, error.message);
  }

  #patience(): Pick<PersistOptions, "clock" | "random" | "signal"> {
    const { clock, random } = this.#options.options;
    return { clock, random, signal: this.#abort.signal };
  }
}
