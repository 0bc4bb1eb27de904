import type { Timer } from "../base/clock.ts";
import { persist } from "../base/persist.ts";
import type { PersistOptions } from "../base/persist.ts";
import { effectLedger } from "../effects/once.ts";
import { payloadNameOf } from "../envelope/plain.ts";
import type { PlainForm } from "../envelope/plain.ts";
import type { RetryPolicy, Service } from "../pipeline/service.ts";
import { decoder } from "../pipeline/decode.ts";
import type { Decoder } from "../pipeline/decode.ts";
import type { ContractIndex } from "../contracts/registry.ts";
import type { Subscription, Transport } from "../ports/transport.ts";
import { Aside } from "./aside.ts";
import { Consumer } from "./consumer.ts";
import { Dispatcher } from "./dispatcher.ts";
import { OutageMode } from "./outage.ts";
import { DEFAULT_RETRY } from "./policy.ts";
import { colocatedOf } from "./runtime.ts";
import type { Runtime } from "./runtime.ts";
import { LetterCopier } from "./letter-copies.ts";
import { Parking } from "./parking.ts";
import { Settlement } from "./settlement.ts";
import { StartLedger } from "./starts.ts";
import { StoreWatch } from "./store-watch.ts";
import { WorkFloor } from "./work-floor.ts";
import type { Work } from "./work.ts";

/** What a service runs with when it says nothing. */
export const SERVICE_DEFAULTS: {
  readonly concurrency: number;
  readonly prefetchCount: number;
  readonly prefetchBytes: number;
  readonly timeoutMs: number;
  readonly maxStarts: number;
  readonly maxParkedPerKey: number;
  readonly outageAfter: number;
  readonly outageProbeMs: number;
} = {
  concurrency: 100,
  prefetchCount: 1000,
  prefetchBytes: 16 * 1024 * 1024,
  timeoutMs: 30_000,
  maxStarts: 4,
  maxParkedPerKey: 1000,
  outageAfter: 20,
  outageProbeMs: 1000,
};

const MAX_PROBE_MS = 30_000;
const TIME_LIMIT_CHECK_MS = 100; // how late a handler may be interrupted

/** What a running service is asked about. */
export interface SubscriptionStatus {
  readonly service: string;
  readonly destination: string;
  /** Whether there is an outage: everything fails, or the store is away. */
  readonly isOut: boolean;
  /** Whether a lane is paused because too much is parked behind one key. */
  readonly isPaused: boolean;
  readonly inFlight: number;
  readonly lanes: number;
  readonly backlog: number;
  readonly lagSeconds: number | undefined;
  /** Lanes with messages that no process reads. */
  readonly unowned: number;
  /** When a message ended last, on the monotonic clock. */
  readonly lastEndedAt: number;
}

/** A subscription and the transport that carries it. */
export interface PlacedReading {
  readonly transport: Transport;
  readonly subscription: Subscription;
}

/** How reading waits for transports that are not there yet. */
export interface ReaderPatience {
  /** Resolves once a transport can be read. */
  ready(transport: Transport): Promise<void>;
  /** Whether a transport has answered. */
  isThere(transport: Transport): boolean;
  /** How to try again when it is gone at that moment. */
  patience(transport: Transport): PersistOptions;
}

/** What a running service stands on. */
export interface ServiceRunnerOptions {
  readonly runtime: Runtime;
  readonly service: Service;
  readonly contracts: ContractIndex;
  readonly subscriptions: readonly PlacedReading[];
  /** By destination: how this app writes it for readers that know nothing of it. */
  readonly plain: Readonly<Record<string, PlainForm>>;
}

/** Runs one service of this process: a consumer for each destination that it reads, one dispatcher over all. */
export class ServiceRunner {
  readonly #options: ServiceRunnerOptions;
  readonly #dispatcher: Dispatcher<Work>;
  readonly #storeWatch: StoreWatch;
  readonly #consumers: { readonly consumer: Consumer; readonly floor: WorkFloor; readonly transport: Transport }[];
  #limitTimer: Timer | undefined;

  constructor(options: ServiceRunnerOptions) {
    this.#options = options;
    this.#storeWatch = new StoreWatch({ runtime: options.runtime, onAnswered: () => this.#dispatcher.pump() });
    this.#dispatcher = dispatcherOf(options, this.#storeWatch);
    const { store } = options.runtime;
    const starts =
      store && new StartLedger(store.starts, options.service.options.maxStarts ?? SERVICE_DEFAULTS.maxStarts, options.runtime.lone);
    this.#consumers = options.subscriptions.map((place) => ({
      ...consumerOf({ ...place, options, dispatcher: this.#dispatcher, storeWatch: this.#storeWatch, starts }),
      transport: place.transport,
    }));
  }

  /** Resolves once every subscription is read: each begins as soon as its transport is there. */
  async start(connecting: ReaderPatience): Promise<void> {
    this.#checkTimeLimits();
    await Promise.all(
      this.#consumers.map(async ({ consumer, transport }) => {
        await connecting.ready(transport);
        await persist(() => consumer.start(), connecting.patience(transport));
      }),
    );
  }

  /** Takes nothing more, lets what runs end within `drainMs`, gives back the rest, releases the lanes. */
  async stop(drainMs: number): Promise<void> {
    await Promise.all(this.#consumers.map(({ consumer }) => consumer.stopTaking()));
    await Promise.all(this.#consumers.map(({ consumer }) => consumer.leaveAll(drainMs)));
    this.#dispatcher.stop();
    this.#storeWatch.stop();
    this.#limitTimer?.cancel();
    await Promise.all(this.#consumers.map(({ consumer }) => consumer.close()));
  }

  /** Interrupts what still runs: a drain waits no longer. */
  force(): void {
    for (const { floor } of this.#consumers) floor.interruptAll();
  }

  /** Held messages may be due. */
  wakeHeld(): void {
    for (const { floor } of this.#consumers) floor.onHeld(this.#options.runtime.clock.now());
  }

  status(): Promise<readonly SubscriptionStatus[]> {
    return Promise.all(
      this.#consumers.map(async ({ consumer, floor }) => {
        const { lanes, backlog, lagSeconds, unowned = 0 } = await consumer.inspect();
        return {
          service: this.#options.service.name,
          destination: consumer.destination,
          isOut: this.#dispatcher.isOut || this.#storeWatch.isAway,
          isPaused: consumer.isPaused,
          inFlight: floor.running,
          lanes: lanes.length,
          backlog,
          lagSeconds,
          unowned,
          lastEndedAt: floor.lastEndedAt,
        };
      }),
    );
  }

  #checkTimeLimits(): void {
    this.#limitTimer = this.#options.runtime.clock.after(TIME_LIMIT_CHECK_MS, () => {
      for (const { floor } of this.#consumers) floor.checkTimeLimits();
      this.#checkTimeLimits();
    });
  }
}

function dispatcherOf({ runtime, service }: ServiceRunnerOptions, storeWatch: StoreWatch): Dispatcher<Work> {
  const { concurrency, ratePerSecond, outageAfter, outageProbeMs } = { ...SERVICE_DEFAULTS, ...service.options };
  return new Dispatcher<Work>({
    clock: runtime.clock,
    concurrency,
    ratePerSecond: ratePerSecond ?? 0,
    isHeld: () => storeWatch.holdsAll,
    outage: new OutageMode({ after: outageAfter, probeMs: outageProbeMs, maxProbeMs: MAX_PROBE_MS }),
    onOutage: (change) => {
      const text =
        change === "began" ? `${service.name} fails at every message; it now tries one at a time` : `${service.name} works again`;
      runtime.logger.warn({ service: service.name }, text);
      runtime.alert({ kind: change === "began" ? "outage" : "outageOver", service: service.name, text });
    },
  });
}

/** What one consumer is wired from. */
interface Wiring extends PlacedReading {
  readonly options: ServiceRunnerOptions;
  readonly dispatcher: Dispatcher<Work>;
  readonly storeWatch: StoreWatch;
  readonly starts: StartLedger | undefined;
}

function consumerOf(wiring: Wiring): { readonly consumer: Consumer; readonly floor: WorkFloor } {
  const { transport, subscription, starts } = wiring;
  const { runtime, service } = wiring.options;
  const place: { wake: (dueAt: number) => void } = { wake: () => undefined };
  const onHeld = (dueAt: number): void => place.wake(dueAt);
  const settlement = new Settlement({
    runtime,
    destination: subscription.destination.name,
    colocated: colocatedOf(runtime, transport),
    copier: new LetterCopier(transport, subscription.destination),
    onHeld,
  });
  const maxParkedPerKey = service.options.maxParkedPerKey ?? SERVICE_DEFAULTS.maxParkedPerKey;
  const parking = new Parking({ runtime, settlement, maxParkedPerKey });
  const floor = floorOf(wiring, settlement, parking);
  place.wake = (dueAt) => floor.onHeld(dueAt);
  const aside = new Aside(runtime, settlement);
  const consumer = new Consumer({ runtime, transport, subscription, decoder: decoderOf(wiring), starts, floor, aside, parking });
  return { consumer, floor };
}

function floorOf(wiring: Wiring, settlement: Settlement, parking: Parking): WorkFloor {
  const { options, dispatcher, storeWatch, starts } = wiring;
  const { runtime, service } = options;
  return new WorkFloor({
    runtime,
    settlement,
    dispatcher,
    starts,
    parking,
    storeWatch,
    attempt: {
      runtime,
      settlement,
      once: runtime.store && effectLedger(runtime.store.effects),
      policyOf: policies(service),
      timeoutMsOf: (work) => work.ready.definition.options.timeoutMs ?? service.options.timeoutMs ?? SERVICE_DEFAULTS.timeoutMs,
      isStoreAway: (error) => storeWatch.blames(error),
      inboxAlways: service.options.inboxAlways ?? false,
      sharedTransactions: service.options.sharedTransactions ?? true,
    },
  });
}

function decoderOf({ options: { runtime, service, contracts, plain }, transport, subscription: { destination } }: Wiring): Decoder {
  const mapping = service.options.foreign?.[destination.name];
  const payloadName = payloadNameOf(plain[destination.name]);
  return decoder({
    service,
    destination,
    contracts,
    clock: runtime.clock,
    ...(mapping === undefined ? {} : { mapping }),
    ...(payloadName === undefined ? {} : { payloadName }),
    // Without positions nothing tells two foreign messages without an id apart but a new id for each.
    ...(transport.capabilities.positions ? {} : { newId: () => runtime.ids.next() }),
  });
}

/** Merged once per handler, not once per message. */
function policies(service: Service): (work: Work) => RetryPolicy {
  const merged = new Map(
    service.handlers.map((definition) => [definition, { ...DEFAULT_RETRY, ...service.options.retry, ...definition.options.retry }]),
  );
  return (work) => merged.get(work.ready.definition) ?? DEFAULT_RETRY;
}
