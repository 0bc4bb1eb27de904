import type { Timer } from "../base/clock.ts";
import { fail } from "../base/errors.ts";
import type { ContractKind } from "../contracts/contract.ts";
import type { ContractIndex } from "../contracts/registry.ts";
import { unsentLetters } from "../deadletters/letter.ts";
import { colocatedOf, enlist } from "../delivery/runtime.ts";
import type { Runtime, RuntimeAlert } from "../delivery/runtime.ts";
import { ServiceRunner } from "../delivery/service-runner.ts";
import type { PlacedReading, ReaderPatience, SubscriptionStatus } from "../delivery/service-runner.ts";
import { outboxRelay } from "../outbox/relay.ts";
import type { OutboxRelay } from "../outbox/relay.ts";
import type { Service } from "../pipeline/service.ts";
import type { DeadLetter } from "../ports/dead-letters.ts";
import type { RetentionPolicy, Store } from "../ports/store.ts";
import type { Transport } from "../ports/transport.ts";
import { scheduler } from "../scheduling/scheduler.ts";
import type { Scheduler } from "../scheduling/scheduler.ts";
import type { Sender } from "./api.ts";
import { composer } from "./compose.ts";
import type { ResolvedOptions } from "./options.ts";
import type { Requests } from "./requests.ts";
import { ServiceSender } from "./sender.ts";

const DAY_MS = 24 * 3600 * 1000;
const RETENTION: RetentionPolicy = { inboxMs: 7 * DAY_MS, effectsMs: 30 * DAY_MS, asideMs: 14 * DAY_MS, batchRows: 1000 };
const CLEAN_UP_MS = 30_000;

/** What a member of a bus stands on. */
export interface MemberOptions {
  readonly options: ResolvedOptions;
  readonly service: Service;
  readonly store: Store | undefined;
  readonly contracts: ContractIndex;
  readonly destinations: ReadonlySet<string>;
  readonly subscriptions: readonly PlacedReading[];
  readonly requests: Requests;
  readonly guard: (call: string) => void;
  readonly lone: Runtime["lone"];
  readonly alert: (alert: RuntimeAlert) => void;
}

/** One service that this process runs, with all that runs for it: consumers, relay, scheduler, clean-up. */
export class Member {
  readonly sender: Sender;
  readonly #runtime: Runtime;
  readonly #member: MemberOptions;
  #runner: ServiceRunner | undefined;
  #relays: readonly OutboxRelay[] = [];
  #scheduler: Scheduler | undefined;
  readonly #retention: RetentionPolicy;
  #cleanUpTimer: Timer | undefined;
  #isStopped = false;
  #connecting: ReaderPatience | undefined;

  constructor(member: MemberOptions) {
    this.#member = member;
    this.#runtime = this.#runtimeOf(member);
    this.#retention = { ...RETENTION, ...member.options.retention };
    const connected = (transport: Transport): Transport => this.#connected(transport);
    this.sender = new ServiceSender({ runtime: this.#runtime, requests: member.requests, connected, guard: member.guard });
  }

  /** Starts what runs for the service, and its reading of each transport once that is there. Its store must be open. */
  async start(connecting: ReaderPatience): Promise<void> {
    const { service, contracts, subscriptions } = this.#member;
    this.#runner = new ServiceRunner({
      runtime: this.#runtime,
      service,
      contracts,
      subscriptions,
      plain: this.#member.options.plain ?? {},
    });
    this.#scheduler = this.#schedulerOf(this.#runtime.store);
    this.#relays = this.#relaysOf(this.#runtime.store);
    this.#connecting = connecting;
    for (const relay of this.#relays) relay.start();
    this.#scheduler?.start();
    this.#cleanUpLater();
    await this.#runner.start(connecting);
  }

  async stop(drainMs: number): Promise<void> {
    this.#isStopped = true;
    this.#cleanUpTimer?.cancel();
    await this.#runner?.stop(drainMs);
    await this.#scheduler?.stop();
    await Promise.all(this.#relays.map((relay) => relay.stop(drainMs)));
  }

  /** Lets a stop that is under way wait no longer. */
  force(): void {
    this.#runner?.force();
  }

  /** Held messages may be due: a redrive. */
  wakeHeld(): void {
    this.#runner?.wakeHeld();
  }

  status(): Promise<readonly SubscriptionStatus[]> {
    return this.#runner?.status() ?? Promise.resolve([]);
  }

  get name(): string {
    return this.#runtime.service;
  }

  #runtimeOf({ options, service, store, contracts, destinations, alert }: MemberOptions): Runtime {
    const { clock, random, ids, logger, telemetry, maxBodyBytes, sendDeadlineMs } = options;
    return {
      service: service.name,
      store,
      clock,
      random,
      ids,
      logger,
      telemetry,
      lone: this.#member.lone,
      maxBodyBytes,
      sendDeadlineMs,
      transportOf: (kind) => (kind === "event" ? options.events : options.commands),
      alert,
      wakeScheduler: (dueAt) => this.#scheduler?.wake(dueAt),
      compose: composer({
        service: service.name,
        clock,
        telemetry,
        contracts,
        destinations,
        transportOf: (kind) => (kind === "event" ? options.events : options.commands),
        maxBodyBytes,
        plain: options.plain ?? {},
        mayRepeat: store === undefined,
      }),
    };
  }

  #schedulerOf(store: Store | undefined): Scheduler | undefined {
    if (store === undefined) return undefined;
    const { clock, logger, ids, service } = this.#runtime;
    return scheduler({
      store,
      enlist: (transaction, batch) => enlist(this.#runtime, transaction, batch),
      letterOf: unsentLetters(service, ids),
      onBuried: (letter) => this.#unsent(letter),
      clock,
      logger,
    });
  }

  /** One for commands and one for events, only where messages leave the store's own database. */
  #relaysOf(store: Store | undefined): readonly OutboxRelay[] {
    const { commands, events } = this.#member.options;
    const leaves = (transport: Transport): boolean => colocatedOf(this.#runtime, transport) === undefined;
    if (store === undefined || ![commands, events].some(leaves)) return [];
    return [this.#relayOf(store, "command", commands), this.#relayOf(store, "event", events)];
  }

  #relayOf(store: Store, kind: ContractKind, transport: Transport): OutboxRelay {
    const { clock, random, logger, ids, service } = this.#runtime;
    return outboxRelay({
      store,
      kind,
      transport: () => this.#connected(transport),
      letterOf: unsentLetters(service, ids),
      onBuried: (letter) => this.#unsent(letter),
      clock,
      random,
      logger,
      owner: ids.next(),
    });
  }

  /** @throws PR_TRANSPORT_FAILED while it has not answered yet: what is to be sent waits */
  #connected(transport: Transport): Transport {
    if (this.#connecting?.isThere(transport) === true) return transport;
    throw fail("PR_TRANSPORT_FAILED", { transport: transport.name, during: "send", detail: "it has not answered yet" });
  }

  #unsent(letter: DeadLetter): void {
    const { service, alert } = this.#runtime;
    alert({
      kind: "deadLetter",
      service,
      contract: letter.contract,
      code: letter.code,
      deadLetterId: letter.id,
      text: `${letter.contract} of ${service} could not be sent: ${letter.reason}`,
    });
  }

  #cleanUpLater(): void {
    const { clock, store } = this.#runtime;
    if (store === undefined || this.#isStopped) return;
    this.#cleanUpTimer = clock.after(CLEAN_UP_MS, () => void this.#cleanUp(store));
  }

  async #cleanUp(store: Store): Promise<void> {
    try {
      while (!this.#isStopped && (await store.cleanUp(this.#retention)) >= this.#retention.batchRows) await this.#runtime.clock.yield();
    } catch (error) {
      this.#runtime.logger.warn({ err: error, service: this.#runtime.service }, "old rows could not be cleaned up; tried again later");
    }
    this.#cleanUpLater();
  }
}
