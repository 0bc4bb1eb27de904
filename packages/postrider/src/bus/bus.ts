import type { Timer } from "../base/clock.ts";
import { deferred } from "../base/deferred.ts";
import { fail, reasonOf } from "../base/errors.ts";
import { contractIndex } from "../contracts/registry.ts";
import type { ContractIndex } from "../contracts/registry.ts";
import type { LetterOperations } from "../deadletters/types.ts";
import { enlist } from "../delivery/runtime.ts";
import type { RuntimeAlert } from "../delivery/runtime.ts";
import { letterOperations } from "../deadletters/operations.ts";
import type { Store } from "../ports/store.ts";
import type { DestinationStatus, Retirement, TopologyPlan, Transport } from "../ports/transport.ts";
import { alerts } from "../telemetry/alerts.ts";
import type { Alerter } from "../telemetry/alert.ts";
import type { Bus, BusOptions, Health, Operations, OutboxHealth, Sender } from "./api.ts";
import { encodeBody } from "./compose.ts";
import { Connecting } from "./connecting.ts";
import { HealthWatch } from "./health.ts";
import { Member } from "./member.ts";
import { resolveOptions } from "./options.ts";
import type { ResolvedOptions } from "./options.ts";
import { Requests } from "./requests.ts";
import { topologyOf } from "./topology.ts";
import type { AppTopology } from "./topology.ts";

const DAY_MS = 24 * 3600 * 1000;

/**
 * Wires services, transports and stores into one app. Nothing runs until `start`.
 * @throws PR_CONFIG_INVALID with every mistake, PR_OWNER_TWICE
 */
export function createBus(options: BusOptions): Bus {
  return new AppBus(resolveOptions(options));
}

/**
 * The app, as far as this process runs it.
 *
 * States: *new*; *starting*; *running*; *stopping* (nothing new is taken, what runs ends); *stopped* (for good).
 */
class AppBus implements Bus {
  readonly #options: ResolvedOptions;
  readonly #contracts: ContractIndex;
  readonly #topology: AppTopology;
  readonly #stores: ReadonlyMap<string, Store>;
  readonly #members: ReadonlyMap<string, Member>;
  readonly #requests: Requests;
  readonly #alerts: Alerter;
  readonly #health: HealthWatch;
  readonly operations: Operations;
  readonly #lone = { last: Promise.resolve() };
  #state: "new" | Health["state"] = "new";
  readonly #connecting: Connecting;
  #starting: Promise<void> | undefined;
  #reading: Promise<void> | undefined;
  #isReading = false;
  #cannotReadWhy: string | undefined;
  #stopping: Promise<void> | undefined;
  #aliveTimer: Timer | undefined;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#contracts = contractIndex([
      ...options.services.flatMap(({ handlers }) => handlers.map(({ contract }) => contract)),
      ...options.external,
    ]);
    this.#topology = topologyOf({
      services: options.services,
      external: options.external,
      commands: options.commands,
      events: options.events,
      lanes: options.lanes,
      hasStores: options.store !== "none",
    });
    const [mistake] = this.#topology.mistakes;
    if (mistake !== undefined) throw fail(mistake.code, mistake.details);
    const { store, clock, logger } = options;
    this.#stores = new Map(store === "none" ? [] : options.services.map(({ name }) => [name, store(name)]));
    this.#alerts = alerts({ ...options.alerts, clock, logger });
    this.#connecting = new Connecting({ options, stores: [...this.#stores.values()], topologies: this.#topology.topologies });
    this.#requests = new Requests(options.commands, clock);
    this.#members = new Map(
      options.services.filter(({ name }) => options.run.includes(name)).map((service) => [service.name, this.#member(service.name)]),
    );
    this.#health = new HealthWatch({
      clock,
      stuckAfterMs: options.stuckAfterMs,
      members: [...this.#members.values()],
      alert: (alert) => this.#raise(alert),
    });
    this.operations = this.#operations();
  }

  async start(): Promise<void> {
    if (this.#state !== "new")
      throw fail("PR_CONFIG_INVALID", { mistakes: "a bus starts once, and this one was started before: make a new one with createBus" });
    this.#state = "starting";
    this.#stayAlive();
    this.#starting = this.#start();
    await this.#starting;
  }

  stop(options: { readonly force?: boolean } = {}): Promise<void> {
    if (options.force === true) for (const member of this.#members.values()) member.force();
    this.#stopping ??= this.#stop(options.force === true ? 0 : this.#options.drainMs);
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  as(service: string): Sender {
    const member = this.#members.get(service);
    if (member === undefined) throw fail("PR_CONFIG_INVALID", { mistakes: `this process does not run a service named ${service}` });
    return member.sender;
  }

  async health(): Promise<Health> {
    const state = this.#state === "new" ? "stopped" : this.#state;
    let subscriptions: Health["subscriptions"] = [];
    let outboxes: Health["outboxes"] = [];
    try {
      if (this.#state === "running") [subscriptions, outboxes] = await Promise.all([this.#health.look(), this.#outboxes()]);
    } catch (error) {
      return { isReady: false, state, subscriptions, reason: reasonOf(error) }; // what cannot be looked at is not well
    }
    const unread = state === "running" && !this.#isReading ? (this.#connecting.missing ?? this.#cannotReadWhy) : undefined;
    const missing = unread ?? (state === "running" ? this.#trouble() : undefined);
    const isWell = state === "running" && this.#isReading && missing === undefined && subscriptions.every((one) => one.state !== "stuck");
    return {
      isReady: isWell,
      state,
      subscriptions,
      ...(outboxes.length === 0 ? {} : { outboxes }),
      ...(missing === undefined ? {} : { reason: missing }),
    };
  }

  async #outboxes(): Promise<readonly OutboxHealth[]> {
    const all = [...this.#members.keys()].map(async (service) => {
      const status = await this.#stores.get(service)?.outbox.status?.();
      return status === undefined ? [] : [{ service, ...status }];
    });
    return (await Promise.all(all)).flat();
  }

  /** Which transports and stores take nothing for now, and why. One file is both, and says it once. */
  #trouble(): string | undefined {
    const troubles = [...this.#topology.topologies.keys(), ...this.#stores.values()].flatMap((one) => {
      const trouble = one.trouble?.();
      return trouble === undefined ? [] : [`${one.name}: ${trouble}`];
    });
    return troubles.length === 0 ? undefined : [...new Set(troubles)].join("; ");
  }

  async plan(): Promise<readonly { readonly transport: string; readonly plan: TopologyPlan }[]> {
    const plans = [];
    for (const [transport, topology] of this.#topology.topologies) {
      await transport.open();
      plans.push({ transport: transport.name, plan: await transport.plan(topology) });
    }
    return plans;
  }

  /** A stop that comes meanwhile waits for the step under way, and ends the start there. */
  async #start(): Promise<void> {
    await this.#connecting.start();
    this.#mustStart();
    // Senders work from here on: a handler may run before the last service has started.
    this.#state = "running";
    this.#health.start();
    this.#reading = Promise.all([...this.#members.values()].map((member) => member.start(this.#connecting))).then(() => {
      this.#isReading = true;
    });
    this.#reading.catch((error: unknown) => this.#cannotRead(error));
    await this.#connecting.within(this.#reading);
    this.#mustStart();
  }

  /** Where a start does not wait for it, nobody else hears of it. */
  #cannotRead(error: unknown): void {
    this.#cannotReadWhy = reasonOf(error);
    if (this.#stopping === undefined) this.#options.logger.error({ err: error }, "what was sent to this app is not read");
  }

  #mustStart(): void {
    if (this.#stopping !== undefined) throw fail("PR_SHUTDOWN", { during: "start" });
  }

  /** Resolves once a start is over, however it went, or the time is. */
  async #startOver(limitMs: number): Promise<void> {
    if (this.#starting === undefined) return;
    // Who called them hears how they went.
    const starting = this.#starting.catch(() => undefined).then(() => this.#reading?.catch(() => undefined));
    const { promise: late, resolve } = deferred();
    const timer = this.#options.clock.after(limitMs, () => resolve(), { keepAlive: true });
    await Promise.race([starting, late]);
    timer.cancel();
  }

  async #stop(drainMs: number): Promise<void> {
    const wasRunning = this.#state !== "new";
    this.#state = "stopping";
    this.#connecting.stop();
    await this.#startOver(drainMs);
    this.#state = "stopping"; // the start may have gone one step further
    this.#health.stop();
    await Promise.all([...this.#members.values()].map((member) => member.stop(drainMs)));
    await this.#requests.close();
    if (wasRunning) for (const transport of this.#topology.topologies.keys()) await transport.close();
    await Promise.all([...this.#stores.values()].map((store) => store.close()));
    await this.#alerts.close();
    this.#state = "stopped";
    this.#aliveTimer?.cancel();
  }

  /** A running bus keeps its process alive, though no single timer of it does. */
  #stayAlive(): void {
    this.#aliveTimer = this.#options.clock.after(DAY_MS, () => this.#stayAlive(), { keepAlive: true });
  }

  #member(name: string): Member {
    const service = this.#options.services.find((one) => one.name === name)!;
    return new Member({
      options: this.#options,
      service,
      store: this.#stores.get(name),
      contracts: this.#contracts,
      destinations: new Set([...this.#topology.topologies.values()].flatMap(({ destinations }) => destinations.map((one) => one.name))),
      subscriptions: this.#topology.subscriptions.filter(({ subscription }) => subscription.service === name),
      requests: this.#requests,
      guard: (call) => this.#guard(call),
      lone: this.#lone,
      alert: (alert) => this.#raise(alert),
    });
  }

  #operations(): Operations {
    const { ids, clock, maxBodyBytes, commands, events } = this.#options;
    const transportOf = (kind: "command" | "event"): Transport => (kind === "event" ? events : commands);
    const letters = letterOperations({
      stores: this.#stores,
      ids,
      clock,
      enlist: (service, transaction, batch) => enlist({ store: this.#stores.get(service), transportOf }, transaction, batch),
      encodeBody: (envelope, body) => encodeBody(this.#contracts, envelope, body, maxBodyBytes),
      onDue: (service) => this.#members.get(service)?.wakeHeld(),
    });
    const destinations = async (): Promise<readonly DestinationStatus[]> =>
      (await Promise.all([...this.#topology.topologies.keys()].map((transport) => transport.inspect()))).flat();
    return { ...bound(letters), destinations, retire: (subscription) => this.#retire({ dropUnread: false, ...subscription }) };
  }

  async #retire(retirement: Retirement): Promise<void> {
    this.#guard("retire");
    const { service, destination } = retirement;
    const isOurs = this.#topology.subscriptions.some(
      ({ subscription }) => subscription.service === service && subscription.destination.name === destination,
    );
    if (isOurs) throw fail("PR_SUBSCRIPTION_USED", { service, destination, reason: "it is part of this app" });
    for (const transport of this.#topology.topologies.keys()) {
      if (!(await transport.inspect()).some((one) => one.destination === destination)) continue;
      if (transport.retire !== undefined) return transport.retire(retirement);
      throw fail("PR_FEATURE_REFUSED", { feature: "retire", adapter: transport.name, reason: "it forgets no subscriptions by itself" });
    }
    throw fail("PR_DESTINATION_UNKNOWN", { transport: "this app", destination });
  }

  #guard(call: string): void {
    if (this.#state === "running") return;
    if (this.#state === "stopping" || this.#state === "stopped") throw fail("PR_SHUTDOWN", { during: call });
    throw fail("PR_NOT_STARTED", { call });
  }

  #raise(alert: RuntimeAlert | { readonly kind: "stuck" | "stuckOver"; readonly service: string; readonly text: string }): void {
    this.#alerts.raise({ ...alert, at: new Date(this.#options.clock.now()).toISOString() });
  }
}

/** The letters' operations as plain functions; they keep their state, so each call goes to the object itself. */
function bound(letters: LetterOperations): LetterOperations {
  return {
    deadLetters: (filter, page) => letters.deadLetters(filter, page),
    deadLetterGroups: (filter) => letters.deadLetterGroups(filter),
    deadLetter: (id) => letters.deadLetter(id),
    redrive: (id, options) => letters.redrive(id, options),
    edit: (id, body) => letters.edit(id, body),
    redriveMany: (options) => letters.redriveMany(options),
    purge: (filter) => letters.purge(filter),
    held: (page) => letters.held(page),
    scheduled: (page) => letters.scheduled(page),
  };
}
